import { expect } from "chai";
import fc from "fast-check";
import { DelayHeap } from "../../../src/kube/delay-heap.ts";
import { PRIORITY, WorkQueue } from "../../../src/kube/queue.ts";
import { VirtualClock } from "./support.ts";

describe("the work queue", () => {
  let clock: VirtualClock;
  let queue: WorkQueue;

  beforeEach(() => {
    clock = new VirtualClock();
    // The middle of the jitter is 75 % of the full delay; 1 takes all of it.
    queue = new WorkQueue({ clock, random: () => 1 });
  });

  const takeAll = () => {
    const keys: string[] = [];
    for (let key = queue.take(); key !== undefined; key = queue.take()) keys.push(key);
    return keys;
  };

  it("holds a key once, however often it was added", () => {
    queue.add("a");
    queue.add("a");
    expect(queue.depth).to.equal(1);
    expect(takeAll()).to.deep.equal(["a"]);
  });

  it("never gives out a key that is being worked on", () => {
    queue.add("a");
    expect(queue.take()).to.equal("a");
    queue.add("a");
    expect(queue.take()).to.equal(undefined);
  });

  it("gives out a key once more when it was added while it was worked on", () => {
    queue.add("a");
    queue.take();
    queue.add("a");
    queue.add("a");
    queue.done("a");
    expect(takeAll()).to.deep.equal(["a"]);
    queue.done("a");
    expect(takeAll()).to.deep.equal([]);
  });

  it("gives out keys in the order in which they came", () => {
    for (const key of ["c", "a", "b"]) queue.add(key);
    expect(takeAll()).to.deep.equal(["c", "a", "b"]);
  });

  it("puts what people changed before everything else, and resyncs last", () => {
    queue.add("resync", PRIORITY.background);
    queue.add("event");
    queue.add("user", PRIORITY.user);
    expect(takeAll()).to.deep.equal(["user", "event", "resync"]);
  });

  it("raises a waiting key to the higher priority, and never lowers it", () => {
    queue.add("a", PRIORITY.background);
    queue.add("b");
    queue.add("a", PRIORITY.user);
    queue.add("a", PRIORITY.background);
    expect(takeAll()).to.deep.equal(["a", "b"]);
  });

  it("keeps the priority of an add that came during the work", () => {
    queue.add("a");
    queue.take();
    queue.add("a", PRIORITY.user);
    queue.add("a", PRIORITY.background);
    queue.add("b");
    queue.done("a");
    expect(takeAll()).to.deep.equal(["a", "b"]);
  });

  it("holds a delayed key back until its time has come", async () => {
    queue.addAfter("a", 1_000);
    await clock.advance(999);
    expect(queue.take()).to.equal(undefined);
    await clock.advance(1);
    expect(queue.take()).to.equal("a");
  });

  it("keeps the earliest of several delays", async () => {
    queue.addAfter("a", 1_000);
    queue.addAfter("a", 100);
    queue.addAfter("a", 5_000);
    await clock.advance(100);
    expect(queue.take()).to.equal("a");
    queue.done("a");
    await clock.advance(10_000);
    expect(queue.take()).to.equal(undefined);
  });

  it("forgets a delay when the key is taken before it ends", async () => {
    queue.addAfter("a", 1_000);
    queue.add("a");
    expect(queue.take()).to.equal("a");
    queue.done("a");
    await clock.advance(2_000);
    expect(queue.take()).to.equal(undefined);
  });

  it("doubles the delay with each failure in a row up to the cap, and starts over when forgotten", () => {
    queue = new WorkQueue({ clock, random: () => 1, maxDelayMs: 100 });
    expect([1, 2, 3, 4, 5, 6, 7].map(() => queue.retry("a"))).to.deep.equal([5, 10, 20, 40, 80, 100, 100]);
    queue.forget("a");
    expect(queue.retry("a")).to.equal(5);
  });

  it("counts the failures of each key alone", () => {
    queue.retry("a");
    queue.retry("a");
    expect(queue.retry("b")).to.equal(5);
  });

  it("spreads retries over half of their delay", () => {
    const delays = [0, 0.5, 1].map((value) => new WorkQueue({ clock, random: () => value }).retry("a"));
    expect(delays).to.deep.equal([2.5, 3.75, 5]);
  });

  it("sets one timer, however many keys are delayed", () => {
    for (let i = 0; i < 100; i++) queue.addAfter(`key-${i}`, 1_000 + i);
    expect(clock.timers).to.equal(1);
  });

  it("announces every key that becomes ready", async () => {
    let announced = 0;
    queue.onReady(() => announced++);
    queue.add("a");
    queue.addAfter("b", 50);
    await clock.advance(50);
    expect(announced).to.equal(2);
  });

  it("gives out nothing after it was stopped", async () => {
    queue.add("a");
    queue.addAfter("b", 10);
    queue.stop();
    queue.add("c");
    await clock.advance(20);
    expect(queue.take()).to.equal(undefined);
    expect(clock.timers).to.equal(0);
  });

  it("tells its observer how long keys waited and were worked on", async () => {
    const seen: unknown[] = [];
    queue = new WorkQueue({
      clock,
      observer: {
        added: (priority) => seen.push(["added", priority]),
        taken: (seconds) => seen.push(["taken", seconds]),
        done: (seconds) => seen.push(["done", seconds]),
      },
    });
    queue.add("a");
    await clock.advance(2_000);
    queue.take();
    await clock.advance(500);
    expect(queue.workingSeconds()).to.deep.equal([0.5]);
    queue.done("a");
    expect(seen).to.deep.equal([
      ["added", 0],
      ["taken", 2],
      ["done", 0.5],
    ]);
  });

  it("loses no key and works on none twice at once, whatever happens in which order", () => {
    const key = fc.constantFrom("a", "b", "c", "d");
    const step = fc.oneof(
      fc.record({ do: fc.constant("add" as const), key, priority: fc.constantFrom(-100, 0, 100) }),
      fc.record({ do: fc.constant("take" as const) }),
      fc.record({ do: fc.constant("done" as const), key }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tried = new WorkQueue({ clock });
        const working = new Set<string>();
        const wanted = new Set<string>();
        for (const next of steps) {
          if (next.do === "add") {
            tried.add(next.key, next.priority);
            wanted.add(next.key);
          } else if (next.do === "take") {
            const taken = tried.take();
            expect(taken === undefined).to.equal(wanted.difference(working).size === 0);
            if (taken === undefined) continue;
            expect(working.has(taken)).to.equal(false);
            working.add(taken);
            wanted.delete(taken);
          } else if (working.delete(next.key)) {
            tried.done(next.key);
          }
        }
        expect(tried.depth).to.equal(wanted.difference(working).size);
      }),
    );
  });
});

describe("the heap of delays", () => {
  it("gives keys by due time, after any sequence of puts and removals", () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 20 }),
      at: fc.integer({ min: 0, max: 50 }),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const heap = new DelayHeap();
        const model = new Map<string, number>();
        for (const { key, at, remove } of steps) {
          const name = `k${key}`;
          if (remove) {
            heap.remove(name);
            model.delete(name);
          } else {
            heap.put(name, at, 0);
            model.set(name, Math.min(at, model.get(name) ?? at));
          }
        }
        const times: number[] = [];
        for (let due = heap.takeDue(100); due; due = heap.takeDue(100)) {
          expect(due.at).to.equal(model.get(due.key));
          model.delete(due.key);
          times.push(due.at);
        }
        expect(model.size).to.equal(0);
        expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
      }),
    );
  });

  it("keeps what is not due yet", () => {
    const heap = new DelayHeap();
    heap.put("a", 10, 0);
    expect(heap.takeDue(9)).to.equal(undefined);
    expect(heap.size).to.equal(1);
  });
});
