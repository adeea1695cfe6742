import { expect } from "chai";
import type { Pod } from "../../../api/v1/kubernetes.ts";
import { Label } from "../../../api/v1/labels.ts";
import { simulate } from "../../../src/local/simulated/stages.ts";
import { eventually, throughout } from "../../support/eventually.ts";
import { describeWrite } from "./support/audit-log.ts";
import { type ClusterShape, rayCluster } from "./support/clusters.ts";
import { useOperator } from "./support/test-cluster.ts";
import { conditionOf, namesOf, type TestNamespace } from "./support/test-namespace.ts";

const replicaOf = (pod: Pod) => pod.metadata.labels?.[Label.workerGroupReplicaName];

describe("the worker groups of a RayCluster", () => {
  const running = useOperator();

  async function settled(replicas: number, shape: ClusterShape = {}): Promise<TestNamespace> {
    const namespace = await running().cluster.namespace("groups");
    await namespace.create(rayCluster("demo", { replicas, ...shape }));
    await namespace.settled("demo", replicas * (shape.group?.numOfHosts ?? 1));
    return namespace;
  }

  afterEach(() => expect(running().operator.panics).to.deep.equal([]));

  describe("with workersToDelete", () => {
    it("give up exactly the named pod, and never a newcomer for a name that stays in the list", async () => {
      const namespace = await settled(3, { spec: { enableInTreeAutoscaling: true } });
      const [, victim] = namesOf(await namespace.workers("demo"));
      await namespace.editGroup("demo", { replicas: 2, scaleStrategy: { workersToDelete: [victim!] } });
      await namespace.settled("demo", 2);
      expect(namesOf(await namespace.workers("demo"))).not.to.include(victim);
      await namespace.editGroup("demo", { replicas: 3 });
      await namespace.settled("demo", 3);
      await throughout(1_000, async () => expect(await namespace.alive("demo")).to.have.length(4));
    });

    it("replace a named pod where the number of replicas stays", async () => {
      const namespace = await settled(2);
      const before = namesOf(await namespace.workers("demo"));
      await namespace.editGroup("demo", { scaleStrategy: { workersToDelete: [before[0]!] } });
      await namespace.settled("demo", 2);
      expect(namesOf(await namespace.workers("demo")))
        .to.include(before[1])
        .and.not.to.include(before[0]);
    });

    it("touch nothing of others: unknown names, the head, another cluster's worker, a pod without an owner", async () => {
      const { audit } = running().cluster;
      const namespace = await settled(1);
      await namespace.create(rayCluster("other", { replicas: 1 }));
      await namespace.settled("other", 1);
      await namespace.api.request("POST", namespace.path("pods"), strayPod("stray"));
      const [head] = namesOf(await namespace.heads("demo"));
      const [foreign] = namesOf(await namespace.workers("other"));
      const before = namesOf(await namespace.list("pods"));
      const mark = audit.mark();
      const workersToDelete = ["unknown", "stray", "Not/A*Name", head!, foreign!, ""];
      await namespace.editGroup("demo", { scaleStrategy: { workersToDelete } });
      await namespace.settled("demo", 1);
      await throughout(1_000, async () => expect(namesOf(await namespace.list("pods"))).to.deep.equal(before));
      expect(audit.writes(mark).filter(({ resource }) => resource === "pods")).to.deep.equal([]);
    });
  });

  it("lose nobody by chance under autoscaling: only the autoscaler names who goes", async () => {
    const namespace = await settled(3, { spec: { enableInTreeAutoscaling: true } });
    const before = namesOf(await namespace.workers("demo"));
    await namespace.editGroup("demo", { replicas: 1 });
    await eventually(async () => {
      const { metadata, status } = await namespace.get("demo");
      expect(status).to.include({ desiredWorkerReplicas: 1, observedGeneration: metadata.generation });
    });
    await throughout(1_000, async () => expect(namesOf(await namespace.workers("demo"))).to.deep.equal(before));
    await namespace.editGroup("demo", { scaleStrategy: { workersToDelete: before.slice(1) } });
    await namespace.settled("demo", 1);
    expect(namesOf(await namespace.workers("demo"))).to.deep.equal(before.slice(0, 1));
  });

  it("have no pods while they are suspended, and new ones afterwards", async () => {
    const namespace = await settled(2);
    const before = namesOf(await namespace.workers("demo"));
    await namespace.editGroup("demo", { suspend: true });
    await namespace.settled("demo", 0);
    await namespace.editGroup("demo", { suspend: false });
    await namespace.settled("demo", 2);
    expect(namesOf(await namespace.workers("demo"))).not.to.include.any.members(before);
  });

  describe("of several hosts", () => {
    const group = { numOfHosts: 3 };
    const replicaNames = async (namespace: TestNamespace) => (await namespace.workers("demo")).map(replicaOf);

    it("come as whole replicas with a headless service", async () => {
      const namespace = await settled(2, { group });
      expect(namesOf(await namespace.services()).sort()).to.deep.equal(["demo-head-svc", "demo-headless"]);
      const workers = await namespace.workers("demo");
      const hosts = Map.groupBy(workers, replicaOf);
      expect([...hosts.values()].map((pods) => pods.map(hostIndex).sort())).to.deep.equal([
        ["0", "1", "2"],
        ["0", "1", "2"],
      ]);
    });

    it("lose a replica as a whole when one of its hosts is lost, and get a new one", async () => {
      const namespace = await settled(2, { group });
      const before = new Set(await replicaNames(namespace));
      const [lost] = await namespace.workers("demo");
      await namespace.remove(lost!.metadata.name, "pods");
      await eventually(async () => expect(await replicaNames(namespace)).not.to.include(replicaOf(lost!)));
      await namespace.settled("demo", 6);
      const after = new Set(await replicaNames(namespace));
      expect(after.size).to.equal(2);
      expect([...after].filter((name) => before.has(name))).to.have.length(1);
    });

    it("go as a whole when one of the hosts is named for deletion", async () => {
      const namespace = await settled(2, { group });
      const [named] = await namespace.workers("demo");
      const kept = (await replicaNames(namespace)).find((name) => name !== replicaOf(named!));
      const scaleStrategy = { workersToDelete: [named!.metadata.name] };
      await namespace.editGroup("demo", { replicas: 1, scaleStrategy });
      await namespace.settled("demo", 3);
      expect(await replicaNames(namespace)).to.deep.equal([kept, kept, kept]);
    });
  });
});

describe("the suspension of a RayCluster", () => {
  const running = useOperator();

  async function suspended(namespace: TestNamespace): Promise<void> {
    await eventually(async () => {
      const cluster = await namespace.get("demo");
      expect(cluster.status?.state).to.equal("suspended");
      expect(conditionOf(cluster, "RayClusterSuspended")?.status).to.equal("True");
      expect(conditionOf(cluster, "RayClusterSuspending")?.status).to.equal("False");
      expect(conditionOf(cluster, "RayClusterProvisioned")?.status).to.equal("False");
      expect(await namespace.pods("demo")).to.have.length(0);
    });
  }

  it("takes all pods away, keeps the service, writes nothing while it lasts, and resumes with new pods", async () => {
    const { audit } = running().cluster;
    const namespace = await running().cluster.namespace("suspend");
    await namespace.create(rayCluster("demo"));
    await namespace.settled("demo", 2);
    const before = namesOf(await namespace.pods("demo"));
    await namespace.edit("demo", { suspend: true });
    await suspended(namespace);
    expect(namesOf(await namespace.services())).to.deep.equal(["demo-head-svc"]);
    const mark = audit.mark();
    await throughout(1_500, async () => expect(await namespace.pods("demo")).to.have.length(0));
    expect(audit.writes(mark).map(describeWrite)).to.deep.equal([]);
    await namespace.edit("demo", { suspend: false });
    await namespace.settled("demo", 2);
    expect(namesOf(await namespace.pods("demo"))).not.to.include.any.members(before);
    expect(conditionOf(await namespace.get("demo"), "RayClusterSuspended")?.status).to.equal("False");
    await eventually(async () =>
      expect((await namespace.events("demo")).map(({ reason }) => reason)).to.include("DeletedPod"),
    );
  });

  it("runs to its end when the user changes his mind, and waits for a pod that is slow to go", async () => {
    const namespace = await running().cluster.namespace("suspend");
    const workerAnnotations = { [simulate.terminateAfter]: "2s" };
    await namespace.create(rayCluster("demo", { replicas: 1, workerAnnotations }));
    await namespace.settled("demo", 1);
    const before = namesOf(await namespace.pods("demo"));
    await namespace.edit("demo", { suspend: true });
    await eventually(async () =>
      expect(conditionOf(await namespace.get("demo"), "RayClusterSuspending")?.status).to.equal("True"),
    );
    await namespace.edit("demo", { suspend: false });
    await eventually(async () => expect(await namespace.pods("demo")).to.have.length(1));
    expect(conditionOf(await namespace.get("demo"), "RayClusterSuspending")?.status).to.equal("True");
    await namespace.settled("demo", 1);
    expect(namesOf(await namespace.pods("demo"))).not.to.include.any.members(before);
  });

  it("begins with no pods at all for a cluster that is created suspended", async () => {
    const { audit } = running().cluster;
    const namespace = await running().cluster.namespace("suspend");
    const mark = audit.mark();
    await namespace.create(rayCluster("demo", { spec: { suspend: true } }));
    await suspended(namespace);
    const pods = audit
      .writes(mark)
      .filter(({ resource, namespace: of }) => resource === "pods" && of === namespace.name);
    expect(pods).to.deep.equal([]);
    await namespace.edit("demo", { suspend: null });
    await namespace.settled("demo", 2);
  });
});

const hostIndex = (pod: Pod) => pod.metadata.labels?.[Label.replicaHostIndex];

/** A pod that looks like a worker of `demo` and belongs to nobody. */
function strayPod(name: string): object {
  const labels = {
    [Label.cluster]: "demo",
    [Label.nodeType]: "worker",
    [Label.group]: "small",
    [Label.isRayNode]: "yes",
  };
  return { metadata: { name, labels }, spec: { containers: [{ name: "ray-worker", image: "rayproject/ray:2.52.0" }] } };
}
