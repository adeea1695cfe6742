import { expect } from "chai";
import { Applier, type WriteSink } from "../../../src/kube/apply.ts";
import { controllerUid, ObjectCache } from "../../../src/kube/cache.ts";
import { Controller, type ReconcileResult } from "../../../src/kube/controller.ts";
import type { Action, Decision, EventSpec, StatusResult } from "../../../src/kube/decision.ts";
import { needKey } from "../../../src/kube/decision.ts";
import { ApiError, ConnectionError } from "../../../src/kube/errors.ts";
import { Limiter } from "../../../src/kube/limiter.ts";
import { WorkQueue } from "../../../src/kube/queue.ts";
import type { Reconciler } from "../../../src/kube/reconciler.ts";
import { changesOf, ownersIn } from "../../../src/kube/sources.ts";
import type { KubeObject, ResourceType } from "../../../src/kube/types.ts";
import { MemoryApi, MemoryLog, PODS, pod, settled, VirtualClock } from "./support.ts";

const WIDGETS: ResourceType = { apiVersion: "test.io/v1", kind: "Widget", plural: "widgets", namespaced: true };
const SECRETS: ResourceType = { apiVersion: "v1", kind: "Secret", plural: "secrets", namespaced: true };

interface Status {
  pods: number;
  note?: string;
}

interface Widget extends KubeObject {
  status?: Status;
}

interface Seen {
  readonly widget: Widget;
  readonly pods: readonly KubeObject[];
  readonly secret: KubeObject | null | undefined;
}

describe("a controller", () => {
  let api: MemoryApi;
  let clock: VirtualClock;
  let log: MemoryLog;
  let widgets: ObjectCache<Widget>;
  let pods: ObjectCache;
  let events: { name: string; spec: EventSpec }[];
  let results: ReconcileResult[];
  let panics: number;
  let stop: AbortController;
  let controller: Controller<Seen, Status>;
  /** The rules of the test. */
  let rules: {
    decide: (seen: Seen) => Decision;
    status: (seen: Seen) => StatusResult<Status> | undefined;
    gone: string[];
    passes: number;
  };

  const secret = { type: SECRETS, namespace: "ns", name: "s" };

  const widget = (status?: Status): Widget => {
    const stored = api.put({
      ...{ apiVersion: WIDGETS.apiVersion, kind: "Widget", metadata: { name: "w", namespace: "ns", generation: 1 } },
      ...(status && { status }),
    } as KubeObject);
    return stored as Widget;
  };
  const createPod = (name: string, more: Partial<Action> = {}): Action =>
    ({
      ...{ verb: "create", type: PODS, wave: 1, reason: "one more is wanted", object: pod(name) },
      onSuccess: { type: "Normal", reason: "Created", action: "Create", note: name },
      onFailure: (message: string) => ({ type: "Warning", reason: "FailedToCreate", action: "Create", note: message }),
      ...more,
    }) as Action;
  const statusWrites = () => api.requests.filter(({ verb, name }) => verb === "patch" && name === "w");

  beforeEach(() => {
    api = new MemoryApi();
    clock = new VirtualClock();
    log = new MemoryLog();
    widgets = new ObjectCache<Widget>({ type: WIDGETS });
    pods = new ObjectCache({ type: PODS, indexes: { owner: controllerUid } });
    events = [];
    results = [];
    panics = 0;
    stop = new AbortController();
    rules = { decide: () => ({ actions: [] }), status: () => undefined, gone: [], passes: 0 };
    const sink: WriteSink = {
      written: (type, object) => (type.kind === "Widget" ? widgets.written(object) : pods.written(object)),
      deleting: (_type, object) => pods.deleting(object),
      gone: (type, object) => (type.kind === "Widget" ? widgets.gone(object) : pods.gone(object)),
    };
    const reconciler: Reconciler<Seen, Status> = {
      name: "widget",
      primary: WIDGETS,
      observe: ({ namespace, name }, read) => {
        const found = widgets.get(namespace, name);
        return found && { widget: found, pods: pods.list(), secret: read.get(needKey(secret)) };
      },
      object: (seen) => seen.widget,
      decide: (seen) => {
        rules.passes++;
        return rules.decide(seen);
      },
      status: (seen) => rules.status(seen),
      storedStatus: (seen) => seen.widget.status,
      differs: (stored, next) => JSON.stringify(stored) !== JSON.stringify(next),
      gone: ({ name }) => rules.gone.push(name),
    };
    controller = new Controller(
      {
        ...{ reconciler, client: api, sink, log, clock, random: () => 1 },
        sources: [changesOf(widgets), ownersIn(pods, WIDGETS)],
        applier: new Applier({ client: api, limiter: new Limiter(8), sink, clock, attempts: 1 }),
        events: { emit: (regarding, spec) => void events.push({ name: regarding.metadata.name, spec }) },
        queue: new WorkQueue({ clock, random: () => 1 }),
        observer: { ended: (result) => results.push(result), panicked: () => panics++ },
      },
      stop.signal,
    );
    controller.start();
  });

  afterEach(() => controller.stop());

  it("reconciles an object when it appears, and leaves it alone when nothing differs", async () => {
    widgets.written(widget());
    await settled();
    expect([rules.passes, results, api.requests.length]).to.deep.equal([1, ["success"], 0]);
  });

  it("looks at the owner when an owned object changes, and not for its own status writes", async () => {
    const stored = widget();
    widgets.written(stored);
    await settled();
    widgets.written(widget({ pods: 7 }));
    await settled();
    expect(rules.passes).to.equal(1);
    const owner = { apiVersion: WIDGETS.apiVersion, kind: "Widget", name: "w", uid: stored.metadata.uid ?? "" };
    pods.event(
      "ADDED",
      pod("p", { uid: "p", resourceVersion: "9", ownerReferences: [{ ...owner, controller: true }] }),
    );
    await settled();
    expect(rules.passes).to.equal(2);
  });

  it("applies the decision, tells of each action, and writes the status once, last", async () => {
    rules.decide = ({ pods: found }) => ({ actions: found.length === 0 ? [createPod("p")] : [] });
    rules.status = () => ({ status: { pods: 1 }, mayWait: false });
    widgets.written(widget());
    await settled();
    expect(api.requests.map(({ verb, name }) => `${verb} ${name}`)).to.deep.equal(["create p", "patch w"]);
    expect(events.map(({ spec }) => spec.reason)).to.deep.equal(["Created"]);
    const line = log.lines.find(({ message }) => message === "created");
    expect(line?.fields).to.deep.equal({
      ...{ Widget: { namespace: "ns", name: "w" }, kind: "Pod", name: "p", reason: "one more is wanted" },
    });
  });

  it("writes only the difference of the status, on the version it was computed from", async () => {
    const stored = widget({ pods: 1, note: "old" });
    rules.status = () => ({ status: { pods: 2 }, mayWait: false });
    widgets.written(stored);
    await settled();
    expect(statusWrites().map(({ body }) => body)).to.deep.equal([
      { metadata: { resourceVersion: stored.metadata.resourceVersion }, status: { pods: 2, note: null } },
    ]);
    expect(widgets.get("ns", "w")?.status, "the answer is in the cache").to.deep.equal({ pods: 2 });
  });

  it("looks again at the newest state after a conflict, without an error", async () => {
    rules.status = ({ widget: { metadata } }) => ({
      status: { pods: Number(metadata.labels?.pods ?? 0) },
      mayWait: false,
    });
    const old = widget();
    api.put({ ...old, metadata: { ...old.metadata, labels: { pods: "5" } } });
    widgets.written(old);
    await settled();
    expect(results).to.deep.equal(["requeue", "success"]);
    expect((api.objects.get("Widget/ns/w") as Widget).status).to.deep.equal({ pods: 5 });
  });

  it("writes the status on its own metadata patch of the same pass", async () => {
    rules.decide = ({ widget: { metadata } }) => ({
      actions: metadata.labels
        ? []
        : [
            {
              ...{ verb: "patch", type: WIDGETS, wave: 1, reason: "label", namespace: "ns", name: "w" },
              patch: { metadata: { labels: { a: "b" } } },
            },
          ],
    });
    rules.status = () => ({ status: { pods: 1 }, mayWait: false });
    widgets.written(widget());
    await settled();
    expect(results.filter((result) => result === "error")).to.deep.equal([]);
    expect(api.requested("get"), "no conflict to read after").to.deep.equal([]);
    expect((api.objects.get("Widget/ns/w") as Widget).status).to.deep.equal({ pods: 1 });
  });

  it("backs off when conflicts do not end", async () => {
    rules.status = () => ({ status: { pods: 1 }, mayWait: false });
    const conflict = new ApiError(409, { reason: "Conflict", message: "the object has been modified" });
    api.fault = ({ verb }) => (verb === "patch" ? { before: conflict } : undefined);
    widgets.written(widget());
    await settled();
    await settled();
    expect(results).to.deep.equal(["requeue", "requeue", "requeue", "requeue", "requeue", "error"]);
  });

  it("computes the status anew when its own patch of the same pass has changed the spec", async () => {
    const generations: unknown[] = [];
    rules.decide = ({ widget: { metadata } }) => ({
      actions:
        metadata.generation === 2
          ? []
          : [
              {
                ...{ verb: "patch", type: WIDGETS, wave: 1, reason: "spec", namespace: "ns", name: "w" },
                patch: { metadata: { generation: 2 } },
              },
            ],
    });
    rules.status = ({ widget: { metadata } }) => {
      generations.push(metadata.generation);
      return { status: { pods: metadata.generation ?? 0 }, mayWait: false };
    };
    widgets.written(widget());
    await settled();
    expect(generations).to.deep.equal([1, 2]);
    expect(statusWrites().filter(({ body }) => "status" in (body as object)).length).to.equal(1);
  });

  it("merges status changes that may wait for one second, from when the first was seen", async () => {
    let count = 0;
    rules.status = () => ({ status: { pods: ++count }, mayWait: true });
    widgets.written(widget());
    await settled();
    await clock.advance(600);
    controller.queue.add("ns/w");
    await clock.advance(399);
    expect(statusWrites()).to.deep.equal([]);
    await clock.advance(1);
    expect(statusWrites().length).to.equal(1);
  });

  it("writes at once what may not wait, also when counts were waiting", async () => {
    let mayWait = true;
    rules.status = () => ({ status: { pods: 1 }, mayWait });
    widgets.written(widget());
    await settled();
    expect(statusWrites()).to.deep.equal([]);
    mayWait = false;
    controller.queue.add("ns/w");
    await settled();
    expect(statusWrites().length).to.equal(1);
  });

  it("starts the second anew when the difference had vanished in between", async () => {
    let pending = true;
    rules.status = ({ widget: { status } }) => ({
      status: pending ? { pods: 1 } : (status ?? { pods: 0 }),
      mayWait: true,
    });
    widgets.written(widget({ pods: 0 }));
    await settled();
    await clock.advance(900);
    pending = false;
    controller.queue.add("ns/w");
    await settled();
    pending = true;
    controller.queue.add("ns/w");
    await clock.advance(900);
    expect(statusWrites()).to.deep.equal([]);
    await clock.advance(100);
    expect(statusWrites().length).to.equal(1);
  });

  it("backs off after a refused action, tells of it, and still writes the status", async () => {
    api.fault = ({ verb }) =>
      verb === "create" ? { before: new ApiError(403, { reason: "Forbidden", message: "exceeded quota" }) } : undefined;
    rules.decide = () => ({ actions: [createPod("p")] });
    rules.status = () => ({ status: { pods: 0 }, mayWait: false });
    widgets.written(widget());
    await settled();
    expect(results).to.deep.equal(["error"]);
    expect(events.map(({ spec }) => [spec.reason, spec.note])).to.deep.equal([["FailedToCreate", "exceeded quota"]]);
    expect(statusWrites().length).to.equal(1);
    await clock.advance(5);
    await clock.advance(10);
    expect(results).to.deep.equal(["error", "error", "error"]);
  });

  it("tries a batch that failed with one action before all others", async () => {
    api.fault = ({ verb }) =>
      verb === "create" ? { before: new ApiError(403, { message: "exceeded quota" }) } : undefined;
    rules.decide = () => ({ actions: Array.from({ length: 50 }, (_, i) => createPod(`p-${i}`, { batch: "pods" })) });
    widgets.written(widget());
    await settled();
    const first = api.requests.length;
    await clock.advance(5);
    expect([first, api.requests.length - first]).to.deep.equal([16, 1]);
  });

  it("does not back off for an optional action", async () => {
    api.fault = () => ({ before: new ApiError(403, { message: "no" }) });
    rules.decide = () => ({ actions: [createPod("p", { optional: true })], requeueAfterMs: 500 });
    widgets.written(widget());
    await settled();
    expect(results).to.deep.equal(["requeue_after"]);
  });

  it("retries a pass that the decision calls failed, with its status written", async () => {
    rules.decide = () => ({ actions: [], failure: "no head yet" });
    rules.status = () => ({ status: { pods: 0 }, mayWait: false });
    widgets.written(widget());
    await settled();
    expect([results, statusWrites().length]).to.deep.equal([["error"], 1]);
    expect(log.lines.at(-1)?.fields).to.include({ error: "no head yet" });
  });

  it("confines an exception to its key: a log line with the stack, an event, a metric and the key's back-off", async () => {
    rules.decide = ({ widget: { metadata } }) => {
      if (metadata.name === "w") throw new Error("a bug");
      return { actions: [] };
    };
    widgets.written(widget());
    widgets.written(api.put({ ...widget(), metadata: { name: "other", namespace: "ns" } }) as Widget);
    await settled();
    expect(results.toSorted()).to.deep.equal(["error", "success"]);
    expect(panics).to.equal(1);
    expect(events.map(({ name, spec }) => [name, spec.type, spec.note])).to.deep.equal([
      ["w", "Warning", "Failed to reconcile: a bug"],
    ]);
    expect(log.lines.find(({ level }) => level === "error")?.fields.stacktrace).to.match(/a bug.*controller.test/s);
  });

  it("looks again after the time a decision names, and at most that", async () => {
    rules.decide = () => ({ actions: [], requeueAfterMs: 2_000 });
    widgets.written(widget());
    await settled();
    await clock.advance(1_999);
    expect(rules.passes).to.equal(1);
    await clock.advance(1);
    expect(rules.passes).to.equal(2);
  });

  it("spreads long delays, so that objects created together do not stay together", async () => {
    rules.decide = () => ({ actions: [], requeueAfterMs: 300_000 });
    widgets.written(widget());
    await settled();
    await clock.advance(329_000);
    expect(rules.passes).to.equal(1);
    await clock.advance(1_001);
    expect(rules.passes).to.equal(2);
  });

  it("leaves an ignored object alone: no action, no status", async () => {
    rules.decide = () => ({ actions: [createPod("p")], ignore: "managed by another" });
    rules.status = () => ({ status: { pods: 1 }, mayWait: false });
    widgets.written(widget());
    await settled();
    expect([api.requests, results]).to.deep.equal([[], ["success"]]);
  });

  describe("reading what a decision needs", () => {
    it("reads it and asks again, in the same pass", async () => {
      api.put({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "ns" } });
      const asked: unknown[] = [];
      rules.decide = (seen) => {
        asked.push(seen.secret?.metadata.name);
        return seen.secret === undefined ? { actions: [createPod("early")], needs: [secret] } : { actions: [] };
      };
      widgets.written(widget());
      await settled();
      expect(asked).to.deep.equal([undefined, "s"]);
      expect(api.requested("create"), "actions of an undecided decision").to.deep.equal([]);
    });

    it("keeps what exists for later passes, for a while", async () => {
      api.put({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "ns" } });
      rules.decide = (seen) => ({ actions: [], needs: seen.secret === undefined ? [secret] : [] });
      widgets.written(widget());
      await settled();
      controller.queue.add("ns/w");
      await settled();
      expect(api.requested("get").length).to.equal(1);
      await clock.advance(331_000);
      controller.queue.add("ns/w");
      await settled();
      expect(api.requested("get").length).to.equal(2);
    });

    it("reads again what it has just written itself", async () => {
      api.put({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "ns" } });
      const labels: unknown[] = [];
      rules.decide = ({ secret: found }) => {
        if (found === undefined) return { actions: [], needs: [secret] };
        labels.push(found?.metadata.labels);
        const patch = { metadata: { labels: { seen: "yes" } } };
        const action = {
          verb: "patch",
          type: SECRETS,
          wave: 1,
          reason: "label",
          namespace: "ns",
          name: "s",
          patch,
        } as const;
        return { actions: found?.metadata.labels ? [] : [action] };
      };
      widgets.written(widget());
      await settled();
      controller.queue.add("ns/w");
      await settled();
      expect(labels).to.deep.equal([undefined, { seen: "yes" }]);
    });

    it("forgets what it read for an object that is gone", async () => {
      api.put({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "ns" } });
      rules.decide = (seen) => ({ actions: [], needs: seen.secret === undefined ? [secret] : [] });
      const stored = widget();
      widgets.written(stored);
      await settled();
      widgets.event("DELETED", stored);
      await settled();
      widgets.event("ADDED", { ...stored, metadata: { ...stored.metadata, uid: "another", resourceVersion: "999" } });
      await settled();
      expect(api.requested("get").length).to.equal(2);
    });

    it("looks in every pass for what does not exist", async () => {
      const seen: unknown[] = [];
      rules.decide = ({ secret: found }) => {
        seen.push(found);
        return { actions: [], needs: [secret] };
      };
      widgets.written(widget());
      await settled();
      controller.queue.add("ns/w");
      await settled();
      expect(seen).to.deep.equal([undefined, null, undefined, null]);
      expect(api.requested("get").length).to.equal(2);
    });

    it("gives up with an error when a decision never has enough", async () => {
      let n = 0;
      rules.decide = () => ({ actions: [], needs: [{ ...secret, name: `s${n++}` }] });
      widgets.written(widget());
      await settled();
      expect([n, results]).to.deep.equal([3, ["error"]]);
      expect(log.lines.at(-1)?.fields.error).to.match(/no decision after 3 rounds/);
    });
  });

  describe("a create with unknown outcome", () => {
    const reset = new ConnectionError(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }), true);
    const unavailable = new ApiError(504, { reason: "Timeout", message: "took too long" });
    let drawn: number;

    beforeEach(() => {
      drawn = 0;
      rules.decide = ({ pods: found }) => ({ actions: found.length === 0 ? [createPod(`p-${++drawn}`)] : [] });
    });

    it("is repeated under the same name before the next decision", async () => {
      let lost = false;
      api.fault = ({ verb }) => {
        if (verb !== "create" || lost) return undefined;
        lost = true;
        return { before: reset };
      };
      widgets.written(widget());
      await clock.advance(100);
      expect(api.requested("create")).to.deep.equal(["p-1", "p-1"]);
      expect([drawn, pods.size]).to.deep.equal([1, 1]);
    });

    it("is found when it had happened after all", async () => {
      api.fault = ({ verb }) => (verb === "create" ? { after: reset } : undefined);
      const { metadata } = widget();
      const owner = {
        apiVersion: WIDGETS.apiVersion,
        kind: "Widget",
        name: "w",
        uid: metadata.uid ?? "",
        controller: true,
      };
      rules.decide = ({ pods: found }) => ({
        actions:
          found.length === 0
            ? [
                createPod(`p-${++drawn}`, {
                  object: pod(`p-${drawn}`, { ownerReferences: [owner] }),
                } as Partial<Action>),
              ]
            : [],
      });
      widgets.written(api.objects.get("Widget/ns/w") as Widget);
      await clock.advance(100);
      expect([drawn, pods.size, api.objects.has("Pod/ns/p-1")]).to.deep.equal([1, 1, true]);
    });

    it("is found although repeating it was refused", async () => {
      const forbidden = new ApiError(403, { reason: "Forbidden", message: "exceeded quota" });
      let creates = 0;
      api.fault = ({ verb }) => {
        if (verb !== "create") return undefined;
        return creates++ === 0 ? { after: reset } : { before: forbidden };
      };
      widgets.written(widget());
      await clock.advance(100);
      expect([drawn, pods.size]).to.deep.equal([1, 1]);
    });

    it("is repeated as soon as an API server that restarts answers again", async () => {
      api.fault = ({ verb }) => (verb === "create" && clock.monotonic() < 6_000 ? { before: reset } : undefined);
      widgets.written(widget());
      await clock.advance(20_000);
      expect([drawn, pods.size, new Set(api.requested("create"))]).to.deep.equal([1, 1, new Set(["p-1"])]);
    });

    it("is waited for only as long as it can still happen", async () => {
      api.fault = ({ verb }) => (verb === "create" ? { before: unavailable } : undefined);
      widgets.written(widget());
      await clock.advance(30_000);
      expect([drawn, new Set(api.requested("create"))]).to.deep.equal([1, new Set(["p-1"])]);
      await clock.advance(60_000);
      expect(drawn, "decided anew").to.be.greaterThan(1);
    });
  });

  it("ends its subscriptions when it is stopped", async () => {
    const handlers: unknown[] = [];
    const watched = new ObjectCache({ type: PODS });
    const onChange = watched.onChange.bind(watched);
    watched.onChange = (handler) => {
      handlers.push(handler);
      const end = onChange(handler);
      return () => {
        handlers.pop();
        end();
      };
    };
    const options = { reconciler: { name: "x", primary: WIDGETS }, sources: [changesOf(watched)] };
    const short = new Controller(options as unknown as ConstructorParameters<typeof Controller>[0], stop.signal);
    expect(handlers.length).to.equal(1);
    await short.stop();
    expect(handlers.length).to.equal(0);
  });

  it("drops everything about an object that is gone", async () => {
    const stored = widget();
    widgets.written(stored);
    await settled();
    widgets.event("DELETED", stored);
    await settled();
    expect(rules.gone).to.deep.equal(["w"]);
  });

  it("finishes what it works on when it is stopped, and takes nothing more", async () => {
    const open = Promise.withResolvers<void>();
    api.gate = () => open.promise;
    rules.decide = () => ({ actions: [createPod("p")] });
    widgets.written(widget());
    await settled();
    let stopped = false;
    const stopping = controller.stop().then(() => {
      stopped = true;
    });
    controller.queue.add("ns/other");
    await settled();
    expect([stopped, controller.active]).to.deep.equal([false, 1]);
    open.resolve();
    await stopping;
    expect(results.length).to.equal(1);
  });
});
