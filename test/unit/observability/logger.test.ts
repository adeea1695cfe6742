import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect } from "chai";
import { isoTime } from "../../../src/observability/log-line.ts";
import { LogSampler } from "../../../src/observability/log-sampler.ts";
import { createLogger, type LogOptions } from "../../../src/observability/logger.ts";
import { RotatingFile } from "../../../src/observability/rotating-file.ts";

class Sink extends Writable {
  text = "";
  isTTY = false;
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
  get lines(): string[] {
    return this.text.split("\n").filter((line) => line !== "");
  }
}

const options: LogOptions = { encoder: "json", level: "info", stackTraces: "error", sampling: false };

describe("the log", () => {
  it("has one JSON object a line with level, ts, logger, msg and then the fields", () => {
    const sink = new Sink();
    const log = createLogger(options, sink)
      .child("controllers")
      .child("RayCluster", { RayCluster: { name: "a" } });
    log.info("created the head pod", { pod: "a-head" });
    const line = JSON.parse(sink.lines[0]!);
    expect(Object.keys(line)).to.deep.equal(["level", "ts", "logger", "msg", "RayCluster", "pod"]);
    expect(line).to.deep.include({ level: "info", logger: "controllers.RayCluster", msg: "created the head pod" });
    expect(Date.parse(line.ts)).to.be.closeTo(Date.now(), 5_000);
  });

  it("shows an error as its message, with the stack trace on error lines only", () => {
    const sink = new Sink();
    const log = createLogger(options, sink);
    log.error("cannot", { error: new Error("quota exceeded") });
    log.warn("cannot", { error: new Error("quota exceeded") });
    const [error, warning] = sink.lines.map((line) => JSON.parse(line));
    expect(error).to.include({ level: "error", error: "quota exceeded" });
    expect(error.stacktrace).to.contain("logger.test.ts");
    expect(warning).to.not.have.property("stacktrace");
  });

  it("keeps a field from replacing the line's own keys", () => {
    const sink = new Sink();
    createLogger(options, sink).info("true", { msg: "false", level: "none" });
    expect(JSON.parse(sink.lines[0]!)).to.include({ msg: "true", level: "info" });
  });

  it("drops lines below its level", () => {
    const sink = new Sink();
    const log = createLogger({ ...options, level: "warn" }, sink);
    log.debug("a");
    log.info("b");
    log.warn("c");
    expect(sink.lines).to.have.lengthOf(1);
  });

  it("separates columns by tabs in the console encoding, without colours when no terminal reads it", () => {
    const sink = new Sink();
    createLogger({ ...options, encoder: "console" }, sink)
      .child("setup")
      .info("starting", { port: 8080 });
    const columns = sink.lines[0]!.split("\t");
    expect(columns.slice(1)).to.deep.equal(["info", "setup", "starting", '{"port":8080}']);
  });

  it("writes what cannot be JSON as text instead of failing", () => {
    const sink = new Sink();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    createLogger(options, sink).info("odd", { circle, big: 1n });
    expect(JSON.parse(sink.lines[0]!)).to.include({ msg: "odd", big: "1" });
  });

  it("lets the first hundred of identical lines in a second pass, and then every hundredth", () => {
    const sampler = new LogSampler();
    const passed = (second: number, count: number) =>
      Array.from({ length: count }, () => sampler.passes("info", "same", second * 1000)).filter(Boolean).length;
    expect(passed(1, 350)).to.equal(102);
    expect(passed(2, 50)).to.equal(50);
    expect(sampler.passes("info", "other", 2000)).to.equal(true);
  });

  it("writes UTC as Z and other zones with their offset", () => {
    const time = new Date("2026-01-02T03:04:05.006Z");
    expect(isoTime(time)).to.match(/^2026-01-0[123]T\d\d:\d\d:05\.006(Z|[+-]\d{4})$/);
    const shifted = Object.assign(new Date(time), { getTimezoneOffset: () => -90 });
    expect(isoTime(shifted)).to.equal("2026-01-02T04:34:05.006+0130");
  });
});

describe("the log file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "log-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const end = (file: RotatingFile) => new Promise((resolve) => file.end(resolve));

  it("gets every line in its own encoding, whatever standard error leaves out", async () => {
    const path = join(folder, "deep/operator.log");
    const sink = new Sink();
    const log = createLogger({ ...options, level: "error", filePath: path, fileEncoder: "console" }, sink);
    log.info("kept");
    await log.close();
    expect(sink.text).to.equal("");
    expect(readFileSync(path, "utf8")).to.match(/^[^\t]+\tinfo\tkept\n$/);
  });

  it("is noticed at start when it cannot be opened", () => {
    expect(() => createLogger({ ...options, filePath: folder }, new Sink())).to.throw("EISDIR");
  });

  it("is given up with one line when it can no longer be written, and the log goes on", async () => {
    const sink = new Sink();
    const log = createLogger({ ...options, filePath: "/dev/full" }, sink);
    log.info("one");
    await new Promise((resolve) => setTimeout(resolve, 50));
    log.info("two");
    await log.close();
    expect(sink.lines.map((line) => JSON.parse(line).msg)).to.deep.equal(["one", "the log file is given up", "two"]);
  });

  it("starts anew when it is full and keeps no more old ones than allowed", async () => {
    const path = join(folder, "operator.log");
    const file = new RotatingFile(path, { maxBytes: 100, maxFiles: 2, maxAgeMs: 1e9 });
    for (let line = 0; line < 8; line += 1) {
      file.write(`${String(line).repeat(60)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await end(file);
    const names = readdirSync(folder).sort();
    expect(names).to.have.lengthOf(3);
    expect(readFileSync(path, "utf8")).to.equal(`${"7".repeat(60)}\n`);
    expect(readFileSync(join(folder, names[1]!), "utf8")).to.equal(`${"6".repeat(60)}\n`);
  });

  it("removes old ones of more than the given age, and nothing else", async () => {
    const old = join(folder, "operator-2020-01-02T03-04-05.006.log");
    const foreign = join(folder, "operator-notes.log");
    for (const name of [old, foreign]) {
      writeFileSync(name, "x");
      utimesSync(name, 1, 1);
    }
    await end(new RotatingFile(join(folder, "operator.log"), { maxBytes: 100, maxFiles: 10, maxAgeMs: 1000 }));
    expect([existsSync(old), existsSync(foreign)]).to.deep.equal([false, true]);
  });
});
