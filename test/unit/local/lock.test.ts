import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { tryLock, withLock } from "../../../src/local/lock.ts";

describe("a lock between processes", () => {
  const unique = () => `test ${process.pid} ${performance.now()}`;

  it("has one holder at a time", async () => {
    const name = unique();
    const first = await tryLock(name);
    expect(await tryLock(name)).to.equal(undefined);
    await first?.release();
    const second = await tryLock(name);
    expect(second).to.not.equal(undefined);
    await second?.release();
  });

  it("is waited for, and says once that it is", async () => {
    const name = unique();
    const held = await tryLock(name);
    let waits = 0;
    const order: string[] = [];
    const work = withLock(
      name,
      () => {
        waits++;
      },
      async () => void order.push("second"),
    );
    await new Promise((resolve) => setTimeout(resolve, 600));
    order.push("first");
    await held?.release();
    await work;
    expect(order).to.deep.equal(["first", "second"]);
    expect(waits).to.equal(1);
  });

  it("is free again when its holder is killed", async () => {
    const name = unique();
    const script = `
      import { tryLock } from ${JSON.stringify(new URL("../../../src/local/lock.ts", import.meta.url).href)};
      console.log((await tryLock(${JSON.stringify(name)})) !== undefined);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script]);
    const [line] = await once(child.stdout, "data");
    expect(String(line).trim()).to.equal("true");
    expect(await tryLock(name)).to.equal(undefined);
    child.kill("SIGKILL");
    await once(child, "exit");
    const lock = await tryLock(name);
    expect(lock).to.not.equal(undefined);
    await lock?.release();
  });
});
