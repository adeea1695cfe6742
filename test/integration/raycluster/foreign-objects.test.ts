// What others put in the operator's way: things that look like a cluster's own, and clusters that are odd but valid.
import { expect } from "chai";
import type { Pod } from "../../../api/v1/kubernetes.ts";
import { Label } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { mergePatch } from "../../../src/local/api.ts";
import { eventually, throughout } from "../../support/eventually.ts";
import { describeWrite, type Write } from "./support/audit-log.ts";
import { rayCluster, workerGroup } from "./support/clusters.ts";
import { useOperator } from "./support/test-cluster.ts";
import { conditionOf, namesOf, type TestNamespace } from "./support/test-namespace.ts";

describe("a RayCluster among foreign objects", function () {
  this.timeout(90_000);
  const running = useOperator();

  afterEach(() => expect(running().operator.panics).to.deep.equal([]));

  async function settled(name = "demo", replicas = 1): Promise<TestNamespace> {
    const namespace = await running().cluster.namespace("foreign");
    await namespace.create(rayCluster(name, { replicas }));
    await namespace.settled(name, replicas);
    return namespace;
  }

  /** Runs `attack`, waits until the operator has had time to fall for it, and gives what it wrote. */
  async function writesAfter(attack: () => Promise<unknown>, forMs = 1_500): Promise<Write[]> {
    const { audit } = running().cluster;
    const mark = audit.mark();
    await attack();
    await throughout(forMs, () => {});
    return audit.writes(mark);
  }

  describe("that look like its pods", () => {
    it("neither counts nor deletes a head and a worker that nobody owns", async () => {
      const namespace = await settled();
      const writes = await writesAfter(async () => {
        await namespace.api.request("POST", namespace.path("pods"), pod("fake-head", "head"));
        await namespace.api.request("POST", namespace.path("pods"), pod("fake-worker", "worker"));
      });
      expect(writes.map(describeWrite)).to.deep.equal([]);
      expect(namesOf(await namespace.list("pods"))).to.include.members(["fake-head", "fake-worker"]);
      await namespace.settled("demo", 1);
    });

    it("neither counts nor deletes pods of another cluster of its name, which has another UID", async () => {
      const namespace = await settled();
      const { apiVersion, kind, metadata } = await namespace.get("demo");
      const other = { apiVersion, kind, name: metadata.name, uid: "5d0e4c2b-1111-4444-8888-1234567890ab" };
      // The garbage collector takes pods whose owner does not exist; a finalizer shows that nobody else does.
      const metadataOf = (name: string) => ({
        name,
        finalizers: ["example.com/keep"],
        ownerReferences: [{ ...other, controller: true, blockOwnerDeletion: true }],
      });
      const writes = await writesAfter(async () => {
        for (const [name, type] of [
          ["old-head", "head"],
          ["old-worker", "worker"],
        ] as const) {
          await namespace.api.request("POST", namespace.path("pods"), pod(name, type, metadataOf(name)));
        }
      });
      expect(writes.map(describeWrite)).to.deep.equal([]);
      await Promise.all(["old-head", "old-worker"].map((name) => dropFinalizers(namespace, name)));
    });

    it("does not reach into another namespace for pods that name it as their owner there", async () => {
      const namespace = await settled();
      const elsewhere = await running().cluster.namespace("foreign");
      const { apiVersion, kind, metadata } = await namespace.get("demo");
      const ownerReferences = [{ apiVersion, kind, name: "demo", uid: metadata.uid!, controller: true }];
      const finalizers = ["example.com/keep"];
      const writes = await writesAfter(async () => {
        const fake = (name: string, type: string) => pod(name, type, { ownerReferences, finalizers });
        await elsewhere.api.request("POST", elsewhere.path("pods"), fake("fake-head", "head"));
        await elsewhere.api.request("POST", elsewhere.path("pods"), fake("fake-worker", "worker"));
        await namespace.editGroup("demo", { replicas: 2 });
        await namespace.settled("demo", 2);
      });
      const pods = writes.filter(({ resource }) => resource === "pods");
      expect(pods.map(({ verb, namespace: where }) => `${verb} in ${where}`)).to.deep.equal([
        `create in ${namespace.name}`,
      ]);
      await Promise.all(["fake-head", "fake-worker"].map((name) => dropFinalizers(elsewhere, name)));
    });

    it("lets pods go that were orphaned, and makes its own beside them", async () => {
      const namespace = await settled();
      const orphans = namesOf(await namespace.pods("demo"));
      await namespace.remove("demo", "rayclusters", { propagationPolicy: "Orphan" });
      await eventually(async () => expect(await namespace.list("rayclusters")).to.have.length(0), { withinMs: 45_000 });
      await namespace.create(rayCluster("demo", { replicas: 1 }));
      await eventually(async () => {
        const condition = conditionOf(await namespace.get("demo"), "Reconciled");
        expect(condition?.message).to.match(/services "demo-head-svc" already exists/);
      });
      expect(namesOf(await namespace.list("pods"))).to.deep.equal(orphans);
      await namespace.remove("demo-head-svc", "services");
      await namespace.settled("demo", 1);
      expect(namesOf(await namespace.list("pods"))).to.include.members(orphans);
    });

    it("gives up one of two heads when somebody makes it a second one of its own", async () => {
      const namespace = await settled();
      const [head] = await namespace.heads("demo");
      const { ownerReferences = [], labels = {} } = head!.metadata;
      await namespace.api.request("POST", namespace.path("pods"), pod("second", "head", { ownerReferences, labels }));
      await eventually(async () => expect(namesOf(await namespace.pods("demo"))).not.to.include("second"));
      const { status } = await namespace.settled("demo", 1);
      expect(status?.head?.podName).to.equal(head?.metadata.name);
    });
  });

  describe("whose name is taken", () => {
    it("does not take over a head that another cluster has under the name of its template", async () => {
      const namespace = await running().cluster.namespace("foreign");
      const named = (name: string): RayCluster => {
        const cluster = rayCluster(name, { replicas: 0 });
        cluster.spec.headGroupSpec.template.metadata = { name: "the-head" };
        return cluster;
      };
      await namespace.create(named("first"));
      await namespace.settled("first", 0);
      await namespace.create(named("second"));
      await eventually(async () => {
        const condition = conditionOf(await namespace.get("second"), "ReplicaFailure");
        expect(condition?.message).to.match(/pods "the-head" already exists/);
      });
      await namespace.settled("first", 0);
      await namespace.remove("first");
      await namespace.settled("second", 0, 60_000);
    });
  });

  describe("with services", () => {
    it("gets a new head service when somebody deletes it", async () => {
      const namespace = await settled();
      await namespace.remove("demo-head-svc", "services");
      await eventually(async () => expect(namesOf(await namespace.services())).to.deep.equal(["demo-head-svc"]));
      await namespace.settled("demo", 1);
    });

    it("leaves what users changed of a service alone", async () => {
      const namespace = await settled();
      const change = { metadata: { annotations: { mine: "yes" } }, spec: { internalTrafficPolicy: "Local" } };
      const writes = await writesAfter(() =>
        namespace.api.request("PATCH", namespace.path("services", "demo-head-svc"), change, mergePatch),
      );
      expect(writes.filter(({ resource }) => resource === "services").map(describeWrite)).to.deep.equal([]);
    });
  });

  describe("that is odd, and valid", () => {
    it("carries 5,000 annotations in many scripts", async () => {
      const namespace = await running().cluster.namespace("odd");
      const entries = Array.from({ length: 5_000 }, (_, i) => [`example.com/a${i}`, `射线 ☀️ лучи ${i}`]);
      await namespace.create(rayCluster("demo", { annotations: Object.fromEntries(entries) }));
      await namespace.settled("demo", 2);
    });

    it("has 150 groups and a spec of a megabyte", async () => {
      const namespace = await running().cluster.namespace("odd");
      const groups = Array.from({ length: 150 }, (_, i) => {
        const group = workerGroup(`group-${i}`, { replicas: i === 149 ? 1 : 0 });
        group.template.spec!.containers[0]!.env = [{ name: "LONG", value: "x".repeat(6_000) }];
        return group;
      });
      await namespace.create(rayCluster("demo", { spec: { workerGroupSpecs: groups } }));
      await namespace.settled("demo", 1);
    });

    it("is called like one in another namespace, and each has its own pods", async () => {
      const [one, two] = [await settled("demo", 1), await settled("demo", 2)];
      const uid = (namespace: TestNamespace) => namespace.get("demo").then(({ metadata }) => metadata.uid);
      const owners = async (namespace: TestNamespace) =>
        new Set((await namespace.pods("demo")).map((item) => item.metadata.ownerReferences?.[0]?.uid));
      expect(await owners(one)).to.deep.equal(new Set([await uid(one)]));
      expect(await owners(two)).to.deep.equal(new Set([await uid(two)]));
    });

    it("is deleted while a finalizer of others holds it: its pods go and do not come back", async () => {
      const namespace = await settled("demo", 2);
      const path = namespace.path("rayclusters", "demo");
      await namespace.api.request("PATCH", path, { metadata: { finalizers: ["example.com/hold"] } }, mergePatch);
      const writes = await writesAfter(async () => {
        await namespace.remove("demo", "rayclusters", { propagationPolicy: "Foreground" });
        await namespace.api.request("DELETE", namespace.path("pods"));
        await eventually(async () => expect(await namespace.pods("demo")).to.have.length(0));
      });
      expect(writes.map(describeWrite)).to.deep.equal([]);
      expect(await namespace.pods("demo")).to.have.length(0);
      await namespace.api.request("PATCH", path, { metadata: { finalizers: null } }, mergePatch);
    });

    it("has its status mended at the next look when somebody writes nonsense into it", async () => {
      const namespace = await settled();
      const nonsense = { state: "suspended", desiredWorkerReplicas: 99, head: { podName: "nobody" }, conditions: [] };
      const path = `${namespace.path("rayclusters", "demo")}/status`;
      await namespace.api.request("PATCH", path, { status: nonsense }, mergePatch);
      await namespace.annotate("demo", { look: "again" });
      const { status } = await namespace.settled("demo", 1);
      expect(status).to.include({ desiredWorkerReplicas: 1 });
    });

    it("wants more pods than the nodes will ever hold, and the others do not wait for it", async () => {
      const namespace = await running().cluster.namespace("odd");
      const group = { replicas: 2_147_483_647, maxReplicas: 2_147_483_647 };
      await namespace.api.request("POST", namespace.path("resourcequotas"), {
        ...{ metadata: { name: "some" }, spec: { hard: { pods: "40" } } },
      });
      await namespace.create(rayCluster("greedy", { group }));
      const small = await running().cluster.namespace("odd");
      await small.create(rayCluster("modest"));
      await small.settled("modest", 2, 10_000);
      await eventually(async () => expect(await namespace.pods("greedy")).to.have.length(40));
      await eventually(async () => {
        const { status } = await namespace.get("greedy");
        expect(status?.desiredWorkerReplicas).to.equal(2_147_483_647);
      });
      await namespace.remove("greedy");
    });
  });

  it("is not changed by edits of what only people read", async () => {
    const namespace = await settled();
    const writes = await writesAfter(() => namespace.annotate("demo", { note: "hello", "example.com/x": "y" }));
    expect(writes.map(describeWrite)).to.deep.equal([]);
  });
});

/** A pod that looks like one of `demo`. */
function pod(name: string, nodeType: string, metadata: Partial<Pod["metadata"]> = {}): object {
  const labels = {
    ...{ [Label.cluster]: "demo", [Label.nodeType]: nodeType, [Label.isRayNode]: "yes" },
    [Label.group]: nodeType === "head" ? "headgroup" : "small",
  };
  const containers = [{ name: `ray-${nodeType}`, image: "rayproject/ray:2.52.0" }];
  return { metadata: { labels, ...metadata, name }, spec: { containers } };
}

async function dropFinalizers(namespace: TestNamespace, name: string): Promise<void> {
  const path = namespace.path("pods", name);
  await namespace.api.request("PATCH", path, { metadata: { finalizers: null } }, mergePatch).catch(() => {});
}
