import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { parse } from "yaml";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { explainFailure } from "./support/diagnostics.ts";
import { type Environment, environment, whyNot } from "./support/environment.ts";
import { eventually } from "./support/eventually.ts";
import { autoscalingCluster, smallCluster } from "./support/manifests.ts";
import { deployOperator, type RunningOperator, startOperatorProcess } from "./support/operator.ts";
import { ClusterUnderTest, patience } from "./support/ray.ts";

const sample = "config/samples/ray-cluster.sample.yaml";
const minutes = 60_000;
/** On a machine that has built nothing yet. */
const firstStart = 30 * minutes;

let env: Environment;
let operator: RunningOperator | undefined;
/** Of the current test. */
let namespace = "";

before(async function startEnvironment() {
  this.timeout(firstStart);
  const obstacle = await whyNot();
  if (obstacle !== undefined) {
    process.stderr.write(`Skipped: ${obstacle}\n`);
    this.skip();
  }
  env = await environment();
});

afterEach(async function explain() {
  this.timeout(minutes);
  if (this.currentTest?.state === "failed") await explainFailure(env, namespace, operator);
});

describe("the operator as a process beside the cluster", function () {
  this.timeout(15 * minutes);
  before(async () => {
    operator = await startOperatorProcess(env);
  });
  after(() => operator?.stop());

  it("brings the sample to ready, a task runs on its worker, and deleting it leaves nothing", () => sampleWorks());
});

describe("the operator's image, deployed with kustomize under exactly its role", function () {
  this.timeout(15 * minutes);
  before(async () => {
    operator = await deployOperator(env);
  });
  after(() => operator?.stop());

  it("brings the sample to ready, a task runs on its worker, and deleting it leaves nothing", () => sampleWorks());

  describe("with a cluster that runs", () => {
    let cluster: ClusterUnderTest;
    before(async () => {
      cluster = await create(smallCluster("steady", 1), "steady");
      await cluster.becomesReady(1);
    });
    beforeEach(() => {
      namespace = cluster.namespace;
    });

    it("scales a group from one worker to three and back, and Ray follows", async () => {
      await cluster.set("/spec/workerGroupSpecs/0/replicas", 3);
      await cluster.becomesReady(3);
      await cluster.rayShows(3, "small");
      await cluster.set("/spec/workerGroupSpecs/0/replicas", 1);
      await cluster.becomesReady(1);
      await cluster.rayShows(1, "small");
    });

    it("replaces a worker pod that was deleted, and the new one takes tasks", async () => {
      const [old = ""] = await cluster.podNames("worker");
      await cluster.kubectl(["delete", "pod", old, "--wait=false"]);
      const worker = await eventually("another worker", patience, async () =>
        (await cluster.podNames("worker")).find((name) => name !== old),
      );
      await cluster.becomesReady(1);
      await cluster.rayShows(1, "small");
      expect(await cluster.taskOn(worker)).to.equal(worker);
    });

    it("replaces a head pod that was deleted, and the worker joins the new one", async () => {
      const old = await cluster.head();
      await cluster.kubectl(["delete", "pod", old, "--wait=false"]);
      await eventually("another head", patience, async () => (await cluster.head()) !== old);
      await cluster.becomesReady(1);
      await cluster.rayShows(1, "small");
      const [worker = ""] = await cluster.podNames("worker");
      expect(await cluster.taskOn(worker)).to.equal(worker);
    });

    it("has no pods while it is suspended, and all of them after it is resumed", async () => {
      await cluster.patch({ spec: { suspend: true } });
      await eventually("the cluster to be suspended", patience, async () => {
        const { status } = await cluster.get();
        const pods = [...(await cluster.podNames("head")), ...(await cluster.podNames("worker"))];
        return status?.state === "suspended" && pods.length === 0;
      });
      await cluster.patch({ spec: { suspend: false } });
      await cluster.becomesReady(1);
      await cluster.rayShows(1, "small");
    });

    it("goes without a trace when it is deleted", () => cluster.deleteAndLeaveNothing());
  });

  for (const version of ["v1", "v2"] as const) {
    it(`lets the Ray autoscaler ${version} bring a worker for a task and take it away when idle`, async () => {
      const cluster = await create(autoscalingCluster(`autoscaling-${version}`, version), `autoscaling-${version}`);
      await cluster.becomesReady(0);
      const where = await cluster.python<string>(`
import socket
@ray.remote(num_cpus=1)
def where():
    return socket.gethostname()
result = ray.get(where.remote(), timeout=${patience})`);
      expect(await cluster.podNames("worker")).to.deep.equal([where]);
      await eventually("the idle worker to be taken away", patience, async () => {
        const { spec } = await cluster.get();
        return (await cluster.podNames("worker")).length === 0 && spec?.workerGroupSpecs?.[0]?.replicas === 0;
      });
      await cluster.becomesReady(0);
      await cluster.deleteAndLeaveNothing();
    });
  }
});

/** What a newcomer does first: apply the sample as it is, see that it is Ray, delete it. */
async function sampleWorks(): Promise<void> {
  const manifest = await readFile(sample, "utf8");
  const { metadata, spec } = parse(manifest) as RayCluster;
  const [group] = spec?.workerGroupSpecs ?? [];
  const workers = group?.replicas ?? 0;
  const cluster = await create(manifest, metadata?.name ?? "");
  await cluster.becomesReady(workers);
  await cluster.rayShows(workers, group?.groupName ?? "");
  const [worker = ""] = await cluster.podNames("worker");
  expect(await cluster.taskOn(worker)).to.equal(worker);
  await cluster.deleteAndLeaveNothing();
}

let namespaces = 0;

/** Applies a manifest in a namespace of its own. */
async function create(manifest: string, name: string): Promise<ClusterUnderTest> {
  namespace = `e2e-${++namespaces}`;
  await env.kubectl(["create", "namespace", namespace]);
  const cluster = new ClusterUnderTest(env, namespace, name);
  await cluster.kubectl(["apply", "--filename=-"], manifest);
  return cluster;
}
