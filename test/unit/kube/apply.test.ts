import { expect } from "chai";
import { Applier, type WriteSink } from "../../../src/kube/apply.ts";
import type { Action, CreateAction, DeleteAction, Outcome } from "../../../src/kube/decision.ts";
import { ApiError, ConnectionError, NotLeaderError } from "../../../src/kube/errors.ts";
import { Limiter } from "../../../src/kube/limiter.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { MemoryApi, PODS, pod, settled, VirtualClock } from "./support.ts";

describe("applying a decision", () => {
  let api: MemoryApi;
  let clock: VirtualClock;
  let applier: Applier;
  let sunk: string[];

  const owner = { apiVersion: "v1", kind: "Owner", name: "o", uid: "owner-uid", controller: true };
  const owned = (name: string) => pod(name, { ownerReferences: [owner] });
  const create = (name: string, more: Partial<CreateAction> = {}): CreateAction => ({
    ...{ verb: "create", type: PODS, wave: 1, reason: "test", object: owned(name) },
    ...more,
  });
  const remove = (name: string, uid: string, more: Partial<DeleteAction> = {}): DeleteAction => ({
    ...{ verb: "delete", type: PODS, wave: 1, reason: "test", namespace: "ns", name, uid },
    ...more,
  });
  const results = (outcomes: readonly Outcome[]) => outcomes.map(({ result }) => result);
  const reset = new ConnectionError(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }), true);
  const overloaded = new ApiError(503, { reason: "ServiceUnavailable", message: "starting" });
  const quota = new ApiError(403, { reason: "Forbidden", message: "exceeded quota" });

  /** Runs `work` while time passes as fast as it is waited for. */
  async function whileTimePasses<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = work.finally(() => {
      done = true;
    });
    end.catch(() => {});
    while (!done) await clock.advance(1_000);
    return end;
  }

  beforeEach(() => {
    api = new MemoryApi();
    clock = new VirtualClock();
    sunk = [];
    const sink: WriteSink = {
      written: (_type, { metadata }: KubeObject) => sunk.push(`written ${metadata.name}`),
      deleting: (_type, { name }) => sunk.push(`deleting ${name}`),
      gone: (_type, { name }) => sunk.push(`gone ${name}`),
    };
    applier = new Applier({ client: api, limiter: new Limiter(32), sink, clock });
  });

  it("runs waves in their order, and gives outcomes in the order of the actions", async () => {
    const actions = [create("late", { wave: 2 }), create("early", { wave: 1 })];
    const { outcomes } = await applier.apply(actions, "key");
    expect(api.requested("create")).to.deep.equal(["early", "late"]);
    expect(outcomes.map(({ action }) => action)).to.deep.equal(actions);
  });

  it("does not begin a wave before the one in front of it is through", async () => {
    const open = Promise.withResolvers<void>();
    api.gate = ({ name }) => (name === "slow" ? open.promise : Promise.resolve());
    const applied = applier.apply([create("slow"), create("quick"), create("next", { wave: 2 })], "key");
    await settled();
    expect(api.requested("create")).to.deep.equal(["slow", "quick"]);
    open.resolve();
    await applied;
    expect(api.requested("create")).to.deep.equal(["slow", "quick", "next"]);
  });

  it("skips later waves when an action failed, but not when that was optional", async () => {
    api.fault = ({ name }) => (name === "bad" ? { before: quota } : undefined);
    const waves = (optional: boolean): Action[] => [
      create("bad", { optional }),
      create(`after-${optional}`, { wave: 2 }),
    ];
    expect(results((await applier.apply(waves(false), "key")).outcomes)).to.deep.equal(["failed", "skipped"]);
    expect(results((await applier.apply(waves(true), "key")).outcomes)).to.deep.equal(["failed", "done"]);
  });

  it("tries the other actions of a wave when one fails, and reports the API server's own text", async () => {
    api.fault = ({ name }) => (name === "bad" ? { before: quota } : undefined);
    const { outcomes } = await applier.apply([create("bad"), create("good")], "key");
    expect(results(outcomes)).to.deep.equal(["failed", "done"]);
    expect(outcomes[0]).to.deep.include({ message: "exceeded quota", code: 403 });
  });

  it("stops a batch of a thousand after sixteen refusals", async () => {
    api.fault = () => ({ before: quota });
    const actions = Array.from({ length: 1000 }, (_, i) => create(`pod-${i}`, { batch: "workers" }));
    const { outcomes } = await applier.apply(actions, "key");
    expect(api.requests.length).to.equal(16);
    expect(results(outcomes).filter((result) => result === "skipped").length).to.equal(984);
  });

  it("begins a batch with one action when the last attempt failed", async () => {
    api.fault = () => ({ before: quota });
    const actions = Array.from({ length: 1000 }, (_, i) => create(`pod-${i}`, { batch: "workers" }));
    await applier.apply(actions, "key", undefined, { cautious: true });
    expect(api.requests.length).to.equal(1);
    api.fault = () => undefined;
    const { outcomes } = await applier.apply(actions, "key", undefined, { cautious: true });
    expect(results(outcomes).every((result) => result === "done")).to.equal(true);
  });

  it("grows the portions of a batch by what has succeeded: 16, 32, 64", async () => {
    const open: (() => void)[] = [];
    api.gate = () => new Promise((resolve) => open.push(resolve));
    applier = new Applier({ client: api, limiter: new Limiter(1000), sink: { ...noSink }, clock });
    const actions = Array.from({ length: 200 }, (_, i) => create(`pod-${i}`, { batch: "workers" }));
    const applied = applier.apply(actions, "key");
    const inFlight: number[] = [];
    while (open.length > 0 || inFlight.length === 0) {
      await settled();
      inFlight.push(open.length);
      for (const go of open.splice(0)) go();
      await settled();
    }
    expect(inFlight).to.deep.equal([16, 32, 64, 88]);
    expect(results((await applied).outcomes)).to.not.include("skipped");
  });

  it("leaves other batches and single actions of the wave alone when a batch fails", async () => {
    api.fault = ({ name }) => (name.startsWith("bad") ? { before: quota } : undefined);
    const bad = Array.from({ length: 20 }, (_, i) => create(`bad-${i}`, { batch: "one" }));
    const good = Array.from({ length: 20 }, (_, i) => create(`good-${i}`, { batch: "two" }));
    const { outcomes } = await applier.apply([...bad, ...good, create("single")], "key");
    expect(results(outcomes.slice(20)).every((result) => result === "done")).to.equal(true);
  });

  it("feeds answers into the caches", async () => {
    api.put(pod("old", { uid: "old-uid" }));
    const patch: Action = {
      ...{ verb: "patch", type: PODS, wave: 2, reason: "test", namespace: "ns", name: "new" },
      patch: { metadata: { labels: { a: "b" } } },
    };
    await applier.apply([create("new"), remove("old", "old-uid"), patch], "key");
    expect(sunk).to.deep.equal(["written new", "gone old", "written new"]);
  });

  it("counts an object as terminating when its delete was accepted but something keeps it", async () => {
    const lingering = { ...pod("old", { uid: "u", deletionTimestamp: "2026-01-01T00:00:00Z" }) };
    api.delete = async () => lingering;
    await applier.apply([remove("old", "u")], "key");
    expect(sunk).to.deep.equal(["written old", "deleting old"]);
  });

  describe("creates", () => {
    it("repeats one whose answer was lost, under the same name, and finds that it is done", async () => {
      let lost = false;
      api.fault = ({ verb }) => {
        if (verb !== "create" || lost) return undefined;
        lost = true;
        return { after: reset };
      };
      const { outcomes, unknown } = await whileTimePasses(applier.apply([create("a")], "key"));
      expect(api.requested("create")).to.deep.equal(["a", "a"]);
      expect(results(outcomes)).to.deep.equal(["done"]);
      expect([unknown, sunk]).to.deep.equal([[], ["written a"]]);
    });

    it("counts an existing object as done when its controller is ours", async () => {
      api.put(owned("a"));
      expect(results((await applier.apply([create("a")], "key")).outcomes)).to.deep.equal(["done"]);
    });

    it("fails when the name belongs to someone else, unless the action adopts it", async () => {
      api.put(pod("a", { ownerReferences: [{ ...owner, uid: "other" }] }));
      const refused = await applier.apply([create("a")], "key");
      expect(refused.outcomes[0]).to.deep.include({ result: "failed", message: '"a" already exists' });
      const adopted = await applier.apply([create("a", { adoptExisting: true })], "key");
      expect(results(adopted.outcomes)).to.deep.equal(["done"]);
    });

    it("reports as unknown what nobody knows after all attempts, and as failed what was refused", async () => {
      api.fault = ({ name }) => ({ before: name === "lost" ? reset : quota });
      const { outcomes, unknown } = await whileTimePasses(applier.apply([create("lost"), create("refused")], "key"));
      expect(results(outcomes)).to.deep.equal(["failed", "failed"]);
      expect(unknown.map(({ object }) => object.metadata.name)).to.deep.equal(["lost"]);
    });

    it("keeps a create unknown when only its first attempt may have happened", async () => {
      const refused = new ConnectionError(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), false);
      api.fault = () => ({ before: api.requests.length === 1 ? reset : refused });
      const lost = await whileTimePasses(applier.apply([create("a")], "key"));
      expect(lost.unknown.length).to.equal(1);
      api.requests.length = 0;
      api.fault = () => ({ before: api.requests.length === 1 ? reset : quota });
      const overQuota = await whileTimePasses(applier.apply([create("b")], "key"));
      expect(overQuota.unknown.length, "its own first attempt may be what fills the quota").to.equal(1);
    });

    it("sees through what was tried once, also when its batch has failed meanwhile", async () => {
      let lost = false;
      api.fault = ({ name }) => {
        if (name === "refused") return { before: quota };
        if (lost) return undefined;
        lost = true;
        return { after: reset };
      };
      const actions = ["lost", "refused"].map((name) => create(name, { batch: "workers" }));
      const { outcomes } = await whileTimePasses(applier.apply(actions, "key"));
      expect(results(outcomes)).to.deep.equal(["done", "failed"]);
    });

    it("does not count a create as unknown that never left", async () => {
      const refused = new ConnectionError(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), false);
      api.fault = () => ({ before: refused });
      const { unknown } = await whileTimePasses(applier.apply([create("a")], "key"));
      expect(unknown).to.deep.equal([]);
    });
  });

  describe("deletes", () => {
    it("count as done when the object is gone or another has its name", async () => {
      api.put(pod("replaced", { uid: "new-uid" }));
      const { outcomes } = await applier.apply([remove("gone", "x"), remove("replaced", "old-uid")], "key");
      expect(results(outcomes)).to.deep.equal(["done", "done"]);
      expect(api.objects.has("Pod/ns/replaced")).to.equal(true);
      expect(sunk).to.deep.equal(["gone gone", "gone replaced"]);
    });
  });

  it("tries again a little when the server is overloaded, then reports it", async () => {
    api.fault = ({ name }) => (name === "never" ? { before: overloaded } : undefined);
    const { outcomes } = await whileTimePasses(applier.apply([create("never")], "key"));
    expect(api.requests.length).to.equal(4);
    expect(outcomes[0]).to.deep.include({ result: "failed", message: "starting", code: 503 });
  });

  it("ends when the lease is lost, and reports nothing as failed", async () => {
    api.fault = () => ({ before: new NotLeaderError("lost") });
    const error = await applier.apply([create("a")], "key").catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(NotLeaderError);
  });

  it("ends all of a batch when the lease is lost, without a rejection left behind", async () => {
    const unhandled: unknown[] = [];
    const listener = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listener);
    api.gate = () => settled();
    api.fault = () => ({ before: new NotLeaderError("lost") });
    const actions = Array.from({ length: 100 }, (_, i) => create(`pod-${i}`, { batch: "workers" }));
    const error = await applier.apply(actions, "key").catch((thrown: unknown) => thrown);
    await settled();
    process.off("unhandledRejection", listener);
    expect(error).to.be.instanceOf(NotLeaderError);
    expect([api.requests.length, unhandled]).to.deep.equal([16, []]);
  });

  it("reads null for what does not exist", async () => {
    api.put(pod("there"));
    expect(await applier.read({ type: PODS, namespace: "ns", name: "absent" }, "key")).to.equal(null);
    expect((await applier.read({ type: PODS, namespace: "ns", name: "there" }, "key"))?.metadata.name).to.equal(
      "there",
    );
  });
});

const noSink: WriteSink = { written: () => {}, deleting: () => {}, gone: () => {} };
