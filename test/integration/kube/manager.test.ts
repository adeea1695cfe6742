import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { Registry } from "prom-client";
import type { Client } from "../../../src/kube/client.ts";
import { isNotFound } from "../../../src/kube/errors.ts";
import { EVENTS } from "../../../src/kube/events.ts";
import { type Connection, loadConnection } from "../../../src/kube/kubeconfig.ts";
import { LEASES } from "../../../src/kube/leader-election.ts";
import { Manager, type ManagerOptions } from "../../../src/kube/manager.ts";
import { RuntimeMetrics } from "../../../src/kube/metrics.ts";
import type { RequestRecord } from "../../../src/kube/requester.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import {
  addWidgets,
  CONFIG_MAPS,
  eventually,
  installWidgets,
  MemoryLog,
  NAMESPACES,
  PODS,
  pod,
  WIDGETS,
  type Widget,
  type WidgetStatus,
  widget,
} from "../support/widgets.ts";

interface Operator {
  readonly manager: Manager;
  readonly log: MemoryLog;
  readonly requests: RequestRecord[];
  readonly pods: ReturnType<typeof addWidgets>["pods"];
  /** Ends gracefully. */
  stop(): Promise<void>;
}

interface Event extends KubeObject {
  reason: string;
  note: string;
  type: string;
  series?: { count: number };
}

describe("the manager against a real API server", function () {
  this.timeout(90_000);
  let plane: ControlPlane;
  let client: Client;
  let proxy: TcpProxy;
  let proxyConnection: Connection;
  let namespace: string;
  let namespaces = 0;
  const operators: Operator[] = [];

  before(async () => {
    plane = await startControlPlane();
    client = await plane.client();
    await installWidgets(client);
    proxy = new TcpProxy(plane.port);
    const kubeconfig = join(plane.folder, "proxy.kubeconfig");
    writeFileSync(kubeconfig, plane.kubeconfigFor(`https://127.0.0.1:${await proxy.listen()}`));
    proxyConnection = await loadConnection({ kubeconfig });
  });

  beforeEach(async () => {
    namespace = `test-${++namespaces}`;
    await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  });

  afterEach(async () => {
    proxy.pass();
    await Promise.all(operators.splice(0).map((operator) => operator.stop()));
  });

  after(async () => {
    await proxy?.close();
    await plane?.stop();
  });

  function operate(
    options: Partial<ManagerOptions> = {},
    changes: Parameters<typeof addWidgets>[1] = {},
    registry = new Registry(),
  ): Operator {
    const log = new MemoryLog();
    const requests: RequestRecord[] = [];
    const metrics = new RuntimeMetrics(registry);
    const request = metrics.client.request;
    Object.assign(metrics.client, {
      request: (record: RequestRecord) => {
        requests.push(record);
        request?.(record);
      },
    });
    const manager = new Manager({
      ...{ connection: client.connection, log, metrics, namespaces: [namespace] },
      ...options,
    });
    const { pods } = addWidgets(manager, changes);
    const stop = new AbortController();
    const run = manager.run(stop.signal);
    const operator = {
      ...{ manager, log, requests, pods },
      stop: async () => {
        stop.abort();
        await run;
      },
    };
    operators.push(operator);
    return operator;
  }

  const create = (name: string, spec: Widget["spec"]) => client.create<Widget>(WIDGETS, widget(name, spec, namespace));
  const statusOf = async (name: string): Promise<WidgetStatus> =>
    (await client.get<Widget>({ type: WIDGETS, namespace, name })).status ?? {};
  const podsOf = async (name: string) =>
    (await client.list(PODS, { namespace, labelSelector: `test.io/widget=${name}` })).items;
  const eventsOf = async (name: string) =>
    (await client.list<Event & { regarding: { name: string } }>(EVENTS, { namespace })).items.filter(
      (event) => event.regarding.name === name,
    );
  const writes = (operator: Operator, resource: string) =>
    operator.requests.filter((record) => record.resource === resource && record.method !== "GET");
  const lease = (name: string) => ({
    ...{ name, namespace, identity: `${name}-${Math.random()}` },
    ...{ leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 300 },
  });

  it("brings the world to what is wanted, with one write an object, one event a batch and one status", async () => {
    const operator = operate();
    await create("w", { replicas: 30 });
    await eventually(async () => (await statusOf("w")).pods === 30);
    await eventually(async () => (await eventsOf("w")).length > 0);
    expect((await podsOf("w")).length).to.equal(30);
    expect(writes(operator, "pods").length).to.equal(30);
    expect(writes(operator, "widgets").length).to.equal(1);
    const events = await eventsOf("w");
    expect(events.map(({ reason, type, series }) => [reason, type, series?.count])).to.deep.equal([
      ["CreatedPod", "Normal", 30],
    ]);
  });

  it("replaces what was deleted, and removes what is too much", async () => {
    operate();
    await create("w", { replicas: 3 });
    await eventually(async () => (await podsOf("w")).length === 3);
    const [victim] = await podsOf("w");
    await client.delete({ type: PODS, namespace, name: victim?.metadata.name ?? "" });
    await eventually(async () => {
      const names = (await podsOf("w")).map(({ metadata }) => metadata.name);
      return names.length === 3 && !names.includes(victim?.metadata.name ?? "");
    });
    await client.patch({ type: WIDGETS, namespace, name: "w" }, { spec: { replicas: 1 } }, { type: "merge" });
    await eventually(async () => (await podsOf("w")).length === 1);
  });

  it("writes nothing after a restart with nothing to do", async () => {
    const first = operate();
    for (let i = 0; i < 5; i++) await create(`w${i}`, { replicas: 2 });
    await eventually(async () => (await statusOf("w4")).pods === 2 && (await statusOf("w0")).pods === 2);
    await first.stop();
    const second = operate();
    await eventually(() => second.manager.health.synced);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(second.requests.filter(({ method }) => method !== "GET")).to.deep.equal([]);
  });

  it("merges status writes that may wait, and loses none", async () => {
    const operator = operate();
    await create("w", { replicas: 1, mayWait: true });
    for (let replicas = 2; replicas <= 8; replicas++) {
      await client.patch({ type: WIDGETS, namespace, name: "w" }, { spec: { replicas } }, { type: "merge" });
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await eventually(async () => (await statusOf("w")).pods === 8);
    expect(writes(operator, "widgets").length).to.be.within(1, 2);
  });

  it("repeats a create whose answer was cut off under the same name, and makes no second pod", async () => {
    const operator = operate({ connection: proxyConnection });
    await eventually(() => operator.manager.health.synced);
    proxy.cutAfter(3_000);
    await create("w", { replicas: 1 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    proxy.pass();
    await eventually(async () => (await statusOf("w")).pods === 1, "the status", 40_000);
    expect((await podsOf("w")).length).to.equal(1);
    expect(writes(operator, "pods").filter(({ verb }) => verb === "delete")).to.deep.equal([]);
  });

  it("makes exactly the wanted pods although connections break at random, and never one too many", async () => {
    const operator = operate({ connection: proxyConnection });
    const cut = setInterval(() => proxy.cutAll(), 50);
    for (let i = 0; i < 5; i++) await create(`w${i}`, { replicas: 20 });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    clearInterval(cut);
    for (let i = 0; i < 5; i++) {
      await eventually(async () => (await statusOf(`w${i}`)).pods === 20, `w${i}`, 60_000);
      expect((await podsOf(`w${i}`)).length).to.equal(20);
    }
    const deletes = writes(operator, "pods").filter(({ verb }) => verb === "delete");
    expect(deletes, "none was there to be taken back").to.deep.equal([]);
  });

  it("reports a refused create with the server's words in an event and the status, backs off, and leaves others alone", async () => {
    const QUOTAS = { apiVersion: "v1", kind: "ResourceQuota", plural: "resourcequotas", namespaced: true };
    const quota = {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "q", namespace },
      spec: { hard: { pods: "0" } },
    };
    await client.create(QUOTAS, quota as KubeObject);
    // Otherwise the controller manager's work.
    const status = { hard: { pods: "0" }, used: { pods: "0" } };
    await client.patch({ type: QUOTAS, namespace, name: "q" }, { status }, { type: "merge", subresource: "status" });
    const operator = operate();
    await create("w", { replicas: 100 });
    await eventually(async () =>
      /exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0/.test((await statusOf("w")).failure ?? ""),
    );
    await eventually(async () => (await eventsOf("w")).length > 0);
    expect((await eventsOf("w"))[0]).to.deep.include({ type: "Warning", reason: "FailedToCreatePod" });
    const attempts = writes(operator, "pods").length;
    expect(attempts, "a hundred were wanted").to.be.lessThan(100);
    const before = writes(operator, "pods").length;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(writes(operator, "pods").length - before, "in one second of back-off").to.be.lessThan(15);
    await create("other", { replicas: 0 });
    await eventually(async () => (await statusOf("other")).pods === 0);
    await client.delete({ type: QUOTAS, namespace, name: "q" });
    await client.patch({ type: WIDGETS, namespace, name: "w" }, { spec: { replicas: 2 } }, { type: "merge" });
    await eventually(async () => (await podsOf("w")).length === 2);
    await eventually(async () => (await statusOf("w")).failure === undefined, "the failure is taken back");
  });

  it("confines an exception to its object", async () => {
    const registry = new Registry();
    const operator = operate({}, {}, registry);
    await create("bad", { replicas: 1, explode: true });
    await create("good", { replicas: 1 });
    await eventually(async () => (await statusOf("good")).pods === 1);
    await eventually(async () => (await eventsOf("bad")).some(({ note }) => note.includes("this widget explodes")));
    expect(operator.log.lines.find(({ level }) => level === "error")?.fields).to.deep.include({
      Widget: { namespace, name: "bad" },
      error: "this widget explodes",
    });
    expect(await registry.metrics()).to.match(/controller_runtime_reconcile_panics_total\{controller="widget"\} [1-9]/);
    await client.patch({ type: WIDGETS, namespace, name: "bad" }, { spec: { explode: false } }, { type: "merge" });
    await eventually(async () => (await statusOf("bad")).pods === 1);
  });

  it("reads what a decision needs, and goes on when it appears", async () => {
    operate({}, {});
    await create("w", { replicas: 1, needs: "settings" });
    await eventually(async () => (await statusOf("w")).pods === 0);
    await client.create(CONFIG_MAPS, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings", namespace },
    });
    await client.patch(
      { type: WIDGETS, namespace, name: "w" },
      { metadata: { labels: { poke: "1" } } },
      { type: "merge" },
    );
    await eventually(async () => (await podsOf("w")).length === 1);
  });

  it("lets a large object delay small ones by little", async () => {
    operate();
    await create("warm", { replicas: 50 });
    await eventually(async () => (await statusOf("warm")).pods === 50);
    await create("large", { replicas: 600 });
    await eventually(async () => (await podsOf("large")).length > 20);
    const startedAt = performance.now();
    await Promise.all([1, 2, 3, 4, 5].map((i) => create(`small-${i}`, { replicas: 4 })));
    for (let i = 1; i <= 5; i++) await eventually(async () => (await statusOf(`small-${i}`)).pods === 4);
    const seconds = (performance.now() - startedAt) / 1000;
    const missing = 600 - (await podsOf("large")).length;
    expect(missing, "the large one is still at work").to.be.greaterThan(0);
    expect(seconds).to.be.lessThan(3);
    await eventually(async () => (await statusOf("large")).pods === 600);
  });

  it("finishes what it has begun when it is stopped, writes its events and gives the lease up", async () => {
    const operator = operate({ leaderElection: lease("graceful") });
    await eventually(() => operator.manager.health.synced);
    await create("w", { replicas: 200 });
    await eventually(() => operator.pods.size > 5);
    await operator.stop();
    const made = (await podsOf("w")).length;
    expect(made, "the batch was finished").to.equal(200);
    expect((await statusOf("w")).pods).to.equal(200);
    expect((await eventsOf("w"))[0]?.series?.count).to.equal(200);
    const { spec } = await client.get<KubeObject & { spec: { holderIdentity: string } }>({
      ...{ type: LEASES, namespace, name: "graceful" },
    });
    expect(spec.holderIdentity).to.equal("");
  });

  it("leaves the work to one of two, and hands it over at once on a graceful stop", async () => {
    const options = () => ({ leaderElection: lease("shared") });
    const first = operate(options());
    await eventually(() => first.manager.health.leading && first.manager.health.synced);
    const second = operate(options());
    await create("w", { replicas: 2 });
    await eventually(async () => (await statusOf("w")).pods === 2);
    expect([second.manager.health.leading, second.manager.health.synced]).to.deep.equal([false, false]);
    expect(writes(second, "pods")).to.deep.equal([]);
    const stoppedAt = performance.now();
    await first.stop();
    await eventually(() => second.manager.health.leading);
    expect(performance.now() - stoppedAt).to.be.lessThan(2_500);
    await client.patch({ type: WIDGETS, namespace, name: "w" }, { spec: { replicas: 5 } }, { type: "merge" });
    await eventually(async () => (await podsOf("w")).length === 5);
  });

  it("stops all work when the lease is lost, and starts over when it is won back, in the same process", async () => {
    const operator = operate({ leaderElection: lease("stolen"), connection: client.connection });
    await create("w", { replicas: 1 });
    await eventually(async () => (await statusOf("w")).pods === 1);
    const reference = { type: LEASES, namespace, name: "stolen" };
    const steal = { spec: { holderIdentity: "thief", leaseDurationSeconds: 2 } };
    await client.patch(reference, steal, { type: "merge" });
    await eventually(() => !operator.manager.health.leading);
    await eventually(() => !operator.manager.health.synced, "the caches are dropped");
    const written = writes(operator, "pods").length;
    await client.patch({ type: WIDGETS, namespace, name: "w" }, { spec: { replicas: 3 } }, { type: "merge" });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(writes(operator, "pods").length, "while another leads").to.equal(written);
    await eventually(() => operator.manager.health.synced, "won back");
    await eventually(async () => (await podsOf("w")).length === 3);
  });

  it("writes nothing once it could not renew its lease in time, not even from calls that were waiting", async () => {
    const leaderElection = lease("unreachable");
    const operator = operate({ leaderElection, connection: proxyConnection, writeParallelism: 2 });
    await eventually(() => operator.manager.health.synced);
    await create("w", { replicas: 400 });
    await eventually(() => operator.pods.size > 10);
    proxy.refuse();
    await eventually(() => !operator.manager.health.leading, "the end of the lease", 10_000);
    const made = (await podsOf("w")).length;
    proxy.pass();
    const stolen = {
      spec: { holderIdentity: "other", leaseDurationSeconds: 3, renewTime: "2026-01-01T00:00:00.000000Z" },
    };
    await client.patch({ type: LEASES, namespace, name: "unreachable" }, stolen, { type: "merge" });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await podsOf("w")).length).to.equal(made);
    await eventually(async () => (await statusOf("w")).pods === 400, "after it is won back", 40_000);
    expect((await podsOf("w")).length).to.equal(400);
  });

  it("publishes the metrics that KubeRay's users know", async () => {
    const registry = new Registry();
    const operator = operate({ leaderElection: lease("metrics") }, {}, registry);
    await create("w", { replicas: 1 });
    await eventually(async () => (await statusOf("w")).pods === 1);
    const text = await registry.metrics();
    for (const series of [
      'controller_runtime_reconcile_total{controller="widget",result="success"}',
      'controller_runtime_reconcile_errors_total{controller="widget"} 0',
      'controller_runtime_max_concurrent_reconciles{controller="widget"} 32',
      'controller_runtime_active_workers{controller="widget"}',
      'workqueue_depth{name="widget",controller="widget",priority="0"} 0',
      'workqueue_adds_total{name="widget",controller="widget"}',
      'workqueue_unfinished_work_seconds{name="widget",controller="widget"}',
      'leader_election_master_status{name="metrics"} 1',
      'rest_client_requests_total{code="201",method="POST",host="',
    ]) {
      expect(text).to.include(series);
    }
    await operator.stop();
    expect(await registry.metrics()).to.include('leader_election_master_status{name="metrics"} 0');
  });

  it("forgets an object that is deleted", async () => {
    const operator = operate();
    await create("w", { replicas: 1 });
    await eventually(async () => (await statusOf("w")).pods === 1);
    await client.delete({ type: WIDGETS, namespace, name: "w" });
    await eventually(async () => isNotFound(await statusOf("w").catch((error: unknown) => error)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(operator.log.lines.filter(({ level }) => level === "error" || level === "warn")).to.deep.equal([]);
  });

  it("never puts its own writes of unlabelled pods into a labelled cache", async () => {
    const operator = operate();
    await eventually(() => operator.manager.health.synced);
    operator.manager.sink.written(PODS, pod("unlabelled", namespace, { uid: "u", resourceVersion: "999999" }));
    expect(operator.pods.size).to.equal(0);
  });
});
