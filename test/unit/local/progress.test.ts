import { expect } from "chai";
import { formatElapsed, progressOn } from "../../../src/local/progress.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("progress", () => {
  it("tells times as people do", () => {
    expect([0, 900, 59_400, 59_600, 65_000, 605_000].map(formatElapsed)).to.deep.equal([
      "0 s",
      "1 s",
      "59 s",
      "1 min 00 s",
      "1 min 05 s",
      "10 min 05 s",
    ]);
  });

  it("redraws one line on a terminal and leaves only the result", async () => {
    let text = "";
    let now = 0;
    const stream = { isTTY: true, columns: 40, write: (part: string) => (text += part) };
    const task = progressOn(stream, { now: () => now, redrawMs: 1, lineMs: 1 }).task("Building");
    now = 12_000;
    task.update("5 of 10");
    await pause(10);
    task.done("Built.");
    const drawn = text.split("\r\x1b[K");
    expect(drawn).to.include("Building (12 s): 5 of 10");
    expect(drawn.at(-1)).to.equal("Built.\n");
    expect(text.split("\n")).to.have.length(2);
  });

  it("cuts a line that would wrap, which could not be redrawn", async () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 20, write: (part: string) => written.push(part) };
    const task = progressOn(stream, { now: () => 0, redrawMs: 1, lineMs: 1 }).task("A title that is far too long");
    await pause(5);
    task.failed();
    for (const part of written) expect(part.replace("\r\x1b[K", "").length).to.be.below(20);
  });

  it("writes a line now and then where there is no terminal, also while nothing is reported", async () => {
    const lines: string[] = [];
    let now = 0;
    const stream = { write: (part: string) => lines.push(part) };
    const task = progressOn(stream, { now: () => now, redrawMs: 1, lineMs: 20 }).task("Building");
    task.update("1 of 10");
    now = 19;
    await pause(30);
    expect(lines).to.deep.equal(["Building\n"]);
    now = 20_000;
    await pause(30);
    task.done("Built.");
    expect(lines).to.deep.equal(["Building\n", "Building (20 s): 1 of 10\n", "Built.\n"]);
  });
});
