import { expect } from "chai";
import type { Pod } from "../../../api/v1/kubernetes.ts";
import { Label } from "../../../api/v1/labels.ts";
import { simulate } from "../../../src/local/simulated/stages.ts";
import { eventually, throughout } from "../../support/eventually.ts";
import { describeWrite } from "./support/audit-log.ts";
import { rayCluster } from "./support/clusters.ts";
import { useOperator } from "./support/test-cluster.ts";
import { conditionOf, isHead, isLeaving, namesOf, type TestNamespace } from "./support/test-namespace.ts";

const indexOf = (pod: Pod) => pod.metadata.labels?.[Label.workerGroupReplicaIndex];

describe("the pods of a RayCluster", () => {
  const running = useOperator();

  async function settled(replicas: number, shape: Parameters<typeof rayCluster>[1] = {}): Promise<TestNamespace> {
    const namespace = await running().cluster.namespace("pods");
    await namespace.create(rayCluster("demo", { replicas, ...shape }));
    await namespace.settled("demo", replicas);
    return namespace;
  }

  afterEach(() => expect(running().operator.panics).to.deep.equal([]));

  it("are replaced under a new name and the free index when a worker is deleted", async () => {
    const namespace = await settled(3);
    const before = await namespace.workers("demo");
    const [victim] = before;
    await namespace.remove(victim!.metadata.name, "pods");
    await eventually(async () => expect(namesOf(await namespace.pods("demo"))).not.to.include(victim?.metadata.name));
    await namespace.settled("demo", 3);
    const after = await namespace.workers("demo");
    expect(namesOf(after)).to.include.members(namesOf(before.slice(1)));
    expect(after.map(indexOf).sort()).to.deep.equal(before.map(indexOf).sort());
  });

  it("keep their workers when the head is deleted: a new head comes under another name", async () => {
    const namespace = await settled(2);
    const [head] = await namespace.heads("demo");
    const workers = namesOf(await namespace.workers("demo"));
    await namespace.remove(head!.metadata.name, "pods");
    await eventually(async () => expect(namesOf(await namespace.heads("demo"))).not.to.include(head?.metadata.name));
    const { status } = await namespace.settled("demo", 2);
    expect(namesOf(await namespace.workers("demo"))).to.deep.equal(workers);
    expect(status?.head?.podName).not.to.equal(head?.metadata.name);
    expect(status?.head?.podIP).to.match(/^\d+\./);
  });

  it("come back all together when somebody deletes them all at once", async () => {
    const namespace = await settled(4);
    const before = namesOf(await namespace.pods("demo"));
    await namespace.api.request("DELETE", namespace.path("pods"));
    await eventually(async () => expect(namesOf(await namespace.pods("demo"))).not.to.include.members(before));
    await namespace.settled("demo", 4);
    expect(namesOf(await namespace.pods("demo"))).not.to.include.any.members(before);
  });

  it("do not wait for a worker that never finishes terminating", async () => {
    const namespace = await settled(2);
    const [stuck] = await namespace.workers("demo");
    await annotatePod(namespace, stuck!, { [simulate.neverTerminates]: "true" });
    await namespace.remove(stuck!.metadata.name, "pods");
    await eventually(async () => expect(await namespace.workers("demo")).to.have.length(2));
    await throughout(1_500, async () => expect(await namespace.pods("demo")).to.have.length(4));
    expect((await namespace.pods("demo")).filter(isLeaving).map((pod) => pod.metadata.name)).to.deep.equal([
      stuck?.metadata.name,
    ]);
    await namespace.remove(stuck!.metadata.name, "pods", { gracePeriodSeconds: 0 });
    await namespace.settled("demo", 2);
  });

  it("have no second head while the first still terminates, and a new one as soon as it is really gone", async () => {
    const namespace = await settled(1);
    const [stuck] = await namespace.heads("demo");
    await annotatePod(namespace, stuck!, { [simulate.neverTerminates]: "true" });
    await namespace.remove(stuck!.metadata.name, "pods");
    await throughout(1_500, async () => expect((await namespace.pods("demo")).filter(isHead)).to.have.length(1));
    await namespace.remove(stuck!.metadata.name, "pods", { gracePeriodSeconds: 0 });
    await namespace.settled("demo", 1);
  });

  it("are replaced when they fail, the head as well as a worker, and the failed ones go", async () => {
    const namespace = await running().cluster.namespace("pods");
    const cluster = rayCluster("demo", { replicas: 2 });
    const groups = [cluster.spec.headGroupSpec, ...(cluster.spec.workerGroupSpecs ?? [])];
    for (const group of groups) group.template.spec!.restartPolicy = "Never";
    await namespace.create(cluster);
    await namespace.settled("demo", 2);
    const [head] = await namespace.heads("demo");
    const [worker] = await namespace.workers("demo");
    for (const pod of [head!, worker!])
      await annotatePod(namespace, pod, { [simulate.exitCode]: "1", [simulate.exitAfter]: "10ms" });
    await eventually(async () => {
      const names = namesOf(await namespace.pods("demo"));
      expect(names).not.to.include.any.members([head?.metadata.name, worker?.metadata.name]);
    });
    await namespace.settled("demo", 2);
    const notes = await eventually(async () => {
      const events = await namespace.events("demo");
      const deleted = events.filter(({ reason }) => reason.startsWith("Deleted"));
      expect(deleted).to.have.length(2);
      return deleted.map(({ reason, note }) => `${reason}: ${note}`).sort();
    });
    expect(notes).to.deep.equal([
      `DeletedHeadPod: Deleted head Pod ${namespace.name}/${head?.metadata.name}: its phase is Failed (restartPolicy Never)`,
      `DeletedWorkerPod: Deleted Pod ${namespace.name}/${worker?.metadata.name}`,
    ]);
  });

  it("stay when their containers restart by themselves", async () => {
    const namespace = await settled(1);
    const before = namesOf(await namespace.pods("demo"));
    const [worker] = await namespace.workers("demo");
    await annotatePod(namespace, worker!, { [simulate.exitCode]: "1", [simulate.exitAfter]: "10ms" });
    await eventually(async () => {
      const [pod] = await namespace.workers("demo");
      expect(pod?.status?.containerStatuses?.[0]?.restartCount).to.equal(1);
    });
    await namespace.settled("demo", 1);
    expect(namesOf(await namespace.pods("demo"))).to.deep.equal(before);
  });

  it("tell in HeadPodReady why the head is not ready", async () => {
    const namespace = await running().cluster.namespace("pods");
    const headAnnotations = { [simulate.neverStarted]: "ImagePullBackOff" };
    await namespace.create(rayCluster("demo", { replicas: 1, headAnnotations }));
    await eventually(async () => {
      const condition = conditionOf(await namespace.get("demo"), "HeadPodReady");
      expect(condition).to.include({ status: "False", reason: "ImagePullBackOff" });
      expect(condition?.message).to.match(/ray-head/);
    });
    expect(conditionOf(await namespace.get("demo"), "RayClusterProvisioned")).to.include({ status: "False" });
  });

  it("are not doubled when one is taken out by its labels, and the extra one goes when it comes back", async () => {
    const { audit } = running().cluster;
    const namespace = await settled(2);
    const [away] = await namespace.workers("demo");
    const labels = (nodeType: string | null) => ({ metadata: { labels: { [Label.nodeType]: nodeType } } });
    await patchPod(namespace, away!, labels(null));
    await eventually(async () => expect(await namespace.alive("demo")).to.have.length(4));
    const mark = audit.mark();
    await throughout(500, async () => expect(await namespace.alive("demo")).to.have.length(4));
    expect(audit.writes(mark).map(describeWrite)).to.deep.equal([]);
    await patchPod(namespace, away!, labels("worker"));
    await namespace.settled("demo", 2);
    expect(namesOf(await namespace.workers("demo")), "the oldest stays").to.include(away?.metadata.name);
  });
});

function annotatePod(namespace: TestNamespace, pod: Pod, annotations: Record<string, string>): Promise<unknown> {
  return patchPod(namespace, pod, { metadata: { annotations } });
}

function patchPod(namespace: TestNamespace, pod: Pod, patch: object): Promise<unknown> {
  const path = namespace.path("pods", pod.metadata.name);
  return namespace.api.request("PATCH", path, patch, "application/merge-patch+json");
}
