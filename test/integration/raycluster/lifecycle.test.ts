import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../../support/eventually.ts";
import { describeWrite } from "./support/audit-log.ts";
import { rayCluster, workerGroup } from "./support/clusters.ts";
import { useOperator } from "./support/test-cluster.ts";
import { conditionOf, namesOf } from "./support/test-namespace.ts";

describe("a RayCluster on a real API server", () => {
  const running = useOperator();

  const kubectl = (...args: string[]): string => {
    const { local } = running().cluster;
    const env = { ...process.env, KUBECONFIG: local.kubeconfig };
    return execFileSync(join(local.binDir, "kubectl"), args, { encoding: "utf8", env });
  };

  it("comes up with a head service, one head and its workers, and says so in the conditions that users wait for", async () => {
    const namespace = await running().cluster.namespace();
    await namespace.create(rayCluster("demo", { replicas: 2 }));
    for (const condition of ["HeadPodReady", "RayClusterProvisioned"]) {
      const wait = ["wait", "raycluster/demo", `-n=${namespace.name}`, "--timeout=20s", `--for=condition=${condition}`];
      expect(kubectl(...wait)).to.match(/condition met/);
    }
    const { status } = await namespace.settled("demo", 2);
    expect(status).to.include({ desiredWorkerReplicas: 2, availableWorkerReplicas: 2, desiredCPU: "30m" });
    expect(namesOf(await namespace.services())).to.deep.equal(["demo-head-svc"]);
    const row = kubectl("get", "raycluster", "demo", `-n=${namespace.name}`, "--no-headers");
    expect(row).to.match(/^demo\s+2\s+2\s+30m\s+48Mi\s+0\s+ready\s/);
    await eventually(async () => {
      const told = (await namespace.events("demo")).map(({ reason, series }) => [reason, series?.count ?? 1]);
      expect(Object.fromEntries(told)).to.deep.equal({ CreatedService: 1, CreatedHeadPod: 1, CreatedWorkerPod: 2 });
    });
  });

  it("costs one write an object and at most three for the status until it is ready", async () => {
    const { cluster } = running();
    const namespace = await cluster.namespace();
    const mark = cluster.audit.mark();
    await namespace.create(rayCluster("demo", { replicas: 4 }));
    await namespace.settled("demo", 4);
    const writes = cluster.audit.writes(mark).filter((write) => write.namespace === namespace.name);
    const of = (resource: string) => writes.filter((write) => write.resource === resource);
    expect(of("pods").map(describeWrite)).to.have.length(5);
    expect(of("services").map(describeWrite)).to.have.length(1);
    expect(of("rayclusters/status").map(describeWrite)).to.have.length.within(1, 3);
    expect(writes).to.have.length(of("pods").length + of("services").length + of("rayclusters/status").length);
    expect(writes.filter(({ code }) => code >= 300).map(describeWrite)).to.deep.equal([]);
  });

  it("scales up and down, keeps within minReplicas and maxReplicas, and keeps the pods that stay", async () => {
    const namespace = await running().cluster.namespace();
    await namespace.create(rayCluster("demo", { replicas: 1 }));
    await namespace.settled("demo", 1);
    const [first] = await namespace.workers("demo");
    const [head] = await namespace.heads("demo");
    await namespace.editGroup("demo", { replicas: 5 });
    await namespace.settled("demo", 5);
    await namespace.editGroup("demo", { replicas: 50, maxReplicas: 3 });
    await namespace.settled("demo", 3);
    expect(namesOf(await namespace.workers("demo")), "the oldest worker").to.include(first?.metadata.name);
    await namespace.editGroup("demo", { replicas: 0, minReplicas: 1 });
    await namespace.settled("demo", 1);
    await namespace.editGroup("demo", { replicas: 0, minReplicas: 0 });
    await namespace.settled("demo", 0);
    expect(namesOf(await namespace.heads("demo"))).to.deep.equal([head?.metadata.name]);
  });

  it("takes in a new worker group and removes the pods of one that left the spec", async () => {
    const namespace = await running().cluster.namespace();
    const { spec } = await namespace.create(rayCluster("demo", { replicas: 1 }));
    await namespace.settled("demo", 1);
    const groups = [...(spec.workerGroupSpecs ?? []), workerGroup("second", { replicas: 2 })];
    await namespace.edit("demo", { workerGroupSpecs: groups });
    await namespace.settled("demo", 3);
    await namespace.edit("demo", { workerGroupSpecs: groups.slice(1) });
    await namespace.settled("demo", 2);
    const labels = (await namespace.workers("demo")).map((pod) => pod.metadata.labels?.["ray.io/group"]);
    expect(labels).to.deep.equal(["second", "second"]);
  });

  it("runs without any worker group", async () => {
    const namespace = await running().cluster.namespace();
    await namespace.create(rayCluster("alone", { spec: { workerGroupSpecs: [] } }));
    await namespace.settled("alone", 0);
  });

  it("has a serve service and the autoscaler's account, role and binding where they are asked for", async () => {
    const { audit } = running().cluster;
    const namespace = await running().cluster.namespace();
    const mark = audit.mark();
    const annotations = { "ray.io/enable-serve-service": "true" };
    await namespace.create(rayCluster("demo", { annotations, spec: { enableInTreeAutoscaling: true } }));
    await namespace.settled("demo", 2);
    expect(namesOf(await namespace.services()).sort()).to.deep.equal(["demo-head-svc", "demo-serve-svc"]);
    for (const collection of ["serviceaccounts", "roles", "rolebindings"]) {
      const objects = await namespace.list<{ metadata: { name: string } }>(collection);
      expect(namesOf(objects), collection).to.include("demo");
    }
    const [head] = await namespace.heads("demo");
    expect(head?.spec).to.include({ serviceAccountName: "demo" });
    expect(head?.spec?.containers.map(({ name }) => name)).to.deep.equal(["ray-head", "autoscaler"]);
    const refused = audit.writes(mark).filter(({ code }) => code >= 300);
    expect(refused.map(describeWrite), "the operator holds every right that it grants").to.deep.equal([]);
  });

  it("leaves nothing behind when it is deleted, in the background as in the foreground", async () => {
    const namespace = await running().cluster.namespace();
    const spec = { enableInTreeAutoscaling: true };
    await namespace.create(rayCluster("one", { spec }));
    await namespace.create(rayCluster("two", { spec }));
    await namespace.settled("one", 2);
    await namespace.settled("two", 2);
    // The garbage collector learns of a kind that is new within 30 s.
    const withinMs = 45_000;
    await namespace.remove("one", "rayclusters", { propagationPolicy: "Background" });
    await namespace.remove("two", "rayclusters", { propagationPolicy: "Foreground" });
    await eventually(
      async () => {
        for (const collection of ["rayclusters", "pods", "services", "roles", "rolebindings"]) {
          expect(namesOf(await namespace.list(collection)), collection).to.deep.equal([]);
        }
        expect(namesOf(await namespace.list("serviceaccounts"))).to.deep.equal(["default"]);
      },
      { withinMs },
    );
  });

  it("is left alone where another controller manages it, also when it goes", async () => {
    const { cluster, operator } = running();
    const namespace = await cluster.namespace();
    const mark = cluster.audit.mark();
    await namespace.create(rayCluster("theirs", { spec: { managedBy: "kueue.x-k8s.io/multikueue" } }));
    await namespace.create(rayCluster("ours", { spec: { managedBy: "ray.io/kuberay-operator" } }));
    await namespace.settled("ours", 2);
    await namespace.remove("theirs");
    await eventually(async () => expect(namesOf(await namespace.list("rayclusters"))).to.deep.equal(["ours"]));
    const touched = cluster.audit.all(mark).filter(({ name }) => name.startsWith("theirs"));
    expect(touched.map(describeWrite)).to.deep.equal([]);
    expect(operator.panics).to.deep.equal([]);
  });

  it("tells in its status that it saw an edit, even one that changes no pod", async () => {
    const namespace = await running().cluster.namespace();
    await namespace.create(rayCluster("demo"));
    const { metadata } = await namespace.settled("demo", 2);
    const edited = await namespace.editGroup("demo", { maxReplicas: 7 });
    expect(edited.metadata.generation).to.be.greaterThan(metadata.generation ?? 0);
    const { status } = await namespace.settled("demo", 2);
    expect(status).to.include({ maxWorkerReplicas: 7, observedGeneration: edited.metadata.generation });
    expect(conditionOf(await namespace.get("demo"), "ReplicaFailure")).to.equal(undefined);
  });
});
