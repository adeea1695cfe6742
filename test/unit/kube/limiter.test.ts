import { expect } from "chai";
import { Limiter } from "../../../src/kube/limiter.ts";
import { settled } from "./support.ts";

describe("the limiter", () => {
  /** Tasks that end when told to, and the order in which they began. */
  const tasks = () => {
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const task = (name: string) => () => {
      begun.push(name);
      return new Promise<string>((resolve) => ends.push(() => resolve(name)));
    };
    const endNext = async () => {
      ends.shift()?.();
      await settled();
    };
    return { begun, task, endNext };
  };

  it("runs no more tasks at once than it allows", async () => {
    const limiter = new Limiter(2);
    const { begun, task, endNext } = tasks();
    for (const name of ["a", "b", "c"]) void limiter.run("owner", task(name));
    await settled();
    expect(begun).to.deep.equal(["a", "b"]);
    await endNext();
    expect(begun).to.deep.equal(["a", "b", "c"]);
  });

  it("gives each owner its turn, so that a thousand tasks of one delay another's by one round", async () => {
    const limiter = new Limiter(1);
    const { begun, task, endNext } = tasks();
    for (let i = 0; i < 1000; i++) void limiter.run("large", task(`large-${i}`));
    for (const name of ["small-0", "small-1"]) void limiter.run("small", task(name));
    for (let i = 0; i < 4; i++) await endNext();
    expect(begun).to.deep.equal(["large-0", "large-1", "small-0", "large-2", "small-1"]);
  });

  it("keeps the order of one owner's tasks", async () => {
    const limiter = new Limiter(1);
    const { begun, task, endNext } = tasks();
    for (const name of ["a", "b", "c", "d"]) void limiter.run("owner", task(name));
    for (let i = 0; i < 4; i++) await endNext();
    expect(begun).to.deep.equal(["a", "b", "c", "d"]);
  });

  it("settles as the task does, and frees its place after a failure", async () => {
    const limiter = new Limiter(1);
    const failure = await limiter
      .run("a", () => Promise.reject(new Error("no")))
      .catch((error: Error) => error.message);
    expect(failure).to.equal("no");
    expect(await limiter.run("a", async () => 7)).to.equal(7);
    expect(limiter.running).to.equal(0);
  });
});
