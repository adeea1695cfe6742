import { expect } from "chai";
import fc from "fast-check";
import { ObjectCache } from "../../../src/kube/cache.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { PODS, pod } from "./support.ts";

// The reference model: an API server with a history, a watch that lags behind it, and answers of our own writes that
// come at any time. Whatever the order, the cache must never go back, never show what it has seen deleted, and be equal
// to the server once everything has arrived.

type Step =
  | { readonly do: "write"; readonly verb: "create" | "patch" | "delete"; readonly name: string; readonly own: boolean }
  | { readonly do: "watch"; readonly events: number }
  | { readonly do: "answer"; readonly which: number }
  | { readonly do: "relist"; readonly behind: number };

interface History {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

class World {
  readonly cache = new ObjectCache({ type: PODS });
  readonly history: History[] = [];
  readonly answers: (() => void)[] = [];
  #stored = new Map<string, KubeObject>();
  #version = 0;
  #uids = 0;
  #watched = 0;

  write({ verb, name, own }: Extract<Step, { do: "write" }>): void {
    const current = this.#stored.get(name);
    if ((verb === "create") === (current !== undefined)) return;
    const uid = current?.metadata.uid ?? `uid-${++this.#uids}`;
    const object = pod(name, { uid, resourceVersion: String(++this.#version) });
    const type = ({ create: "ADDED", patch: "MODIFIED", delete: "DELETED" } as const)[verb];
    this.history.push({ type, object });
    if (verb === "delete") this.#stored.delete(name);
    else this.#stored.set(name, object);
    if (!own) return;
    this.answers.push(
      verb === "delete" ? () => this.cache.gone({ namespace: "ns", name, uid }) : () => this.cache.written(object),
    );
  }

  watch(events: number): void {
    for (const { type, object } of this.history.slice(this.#watched, this.#watched + events)) {
      this.cache.event(type, object);
    }
    this.#watched = Math.min(this.history.length, this.#watched + events);
  }

  answer(which: number): void {
    this.answers.splice(which % Math.max(1, this.answers.length), 1)[0]?.();
  }

  /** A list as it was `behind` versions ago, but not older than what the watch has shown. */
  relist(behind: number): void {
    const version = Math.max(this.#watched, this.history.length - behind);
    const objects = new Map<string, KubeObject>();
    for (const { type, object } of this.history.slice(0, version)) {
      if (type === "DELETED") objects.delete(object.metadata.name);
      else objects.set(object.metadata.name, object);
    }
    this.cache.replace([...objects.values()], String(version), "");
    this.#watched = version;
  }

  settle(): void {
    while (this.answers.length > 0) this.answer(0);
    this.watch(this.history.length);
  }

  get stored(): string[] {
    return [...this.#stored.values()].map(describeObject).sort();
  }

  get cached(): string[] {
    return this.cache.list().map(describeObject).sort();
  }
}

const describeObject = ({ metadata }: KubeObject) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: writeStep() },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("watch" as const), events: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("answer" as const), which: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("relist" as const), behind: fc.nat({ max: 4 }) }) },
);

function writeStep(): fc.Arbitrary<Step> {
  return fc.record({
    do: fc.constant("write" as const),
    verb: fc.constantFrom("create" as const, "patch" as const, "delete" as const),
    name: fc.constantFrom("a", "b", "c"),
    own: fc.boolean(),
  });
}

function perform(world: World, next: Step): void {
  switch (next.do) {
    case "write":
      world.write(next);
      break;
    case "watch":
      world.watch(next.events);
      break;
    case "answer":
      world.answer(next.which);
      break;
    case "relist":
      world.relist(next.behind);
      break;
  }
}

describe("the cache against a model of the API server", () => {
  it("ends equal to the server, whatever the order of watch, answers and lists", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World();
        world.relist(0);
        for (const next of steps) perform(world, next);
        world.settle();
        expect(world.cached).to.deep.equal(world.stored);
      }),
      { numRuns: 2_000 },
    );
  });

  it("never goes back to an older state, and never shows again what was seen deleted", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World();
        const newest = new Map<string, number>();
        const dead = new Set<string>();
        const wrong: string[] = [];
        world.cache.onChange((before, after) => {
          if (before && before.metadata.uid !== after?.metadata.uid) dead.add(before.metadata.uid ?? "");
          if (!after) return;
          const { uid = "", resourceVersion } = after.metadata;
          if (dead.has(uid)) wrong.push(`${describeObject(after)} came back`);
          if (Number(resourceVersion) <= (newest.get(uid) ?? 0)) wrong.push(`${describeObject(after)} is older`);
          newest.set(uid, Number(resourceVersion));
        });
        world.relist(0);
        for (const next of steps) perform(world, next);
        world.settle();
        expect(wrong).to.deep.equal([]);
      }),
      { numRuns: 2_000 },
    );
  });

  it("shows our own write as soon as its answer is there", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom("a", "b", "c"), (steps, name) => {
        const world = new World();
        world.relist(0);
        for (const next of steps) perform(world, next);
        const exists = world.stored.some((line) => line.startsWith(`${name} `));
        world.write({ do: "write", verb: exists ? "patch" : "create", name, own: true });
        world.answers.at(-1)?.();
        expect(world.cached).to.include(world.stored.find((line) => line.startsWith(`${name} `)));
      }),
      { numRuns: 1_000 },
    );
  });
});
