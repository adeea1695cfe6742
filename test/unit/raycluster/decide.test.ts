import { expect } from "chai";
import fc from "fast-check";
import { isAlive } from "../../../controllers/raycluster/observed.ts";
import { smallCluster, World } from "../../support/world.ts";

const reasons = (world: World) => world.events.map((event) => event.split(":")[0]);

function runningWorld(replicas = 2): World {
  const world = new World(smallCluster(replicas));
  world.settle();
  world.run();
  world.settle();
  world.events.length = 0;
  return world;
}

describe("a RayCluster's decisions", () => {
  describe("coming up", () => {
    it("makes the head service, one head and the workers in one pass, and then rests", () => {
      const world = new World(smallCluster(3));
      const first = world.pass();
      expect(first.actions.map((action) => action.type.kind)).to.deep.equal(["Service", "Pod", "Pod", "Pod", "Pod"]);
      expect(world.settle()).to.equal(1);
      expect(world.events).to.include(`CreatedHeadPod: Created head Pod ns/${world.heads[0]?.metadata.name}`);
    });

    it("becomes ready in two status writes", () => {
      const world = new World(smallCluster(3));
      world.pass();
      world.run();
      world.settle();
      expect(world.cluster.status?.state).to.equal("ready");
      expect(world.statusWrites).to.equal(2);
    });

    it("starts no worker before the head exists, so that a small quota goes to the head", () => {
      const world = new World();
      world.pass((action) => (action.failureTag === "FailedCreateHeadPod" ? "exceeded quota" : undefined));
      expect(world.pods).to.have.length(0);
      expect(world.cluster.status?.conditions?.find((c) => c.type === "ReplicaFailure")).to.include({
        status: "True",
        reason: "FailedCreateHeadPod",
        message: "FailedCreateHeadPod\nexceeded quota",
      });
    });

    it("tells of a refused pod in words that stay the same on every try, although the name is drawn anew", () => {
      const world = new World();
      const refuse = (action: { object?: { metadata: { name: string } } }) =>
        action.object ? `pods "${action.object.metadata.name}" is forbidden: exceeded quota` : undefined;
      world.pass((action) => (action.type.kind === "Pod" ? refuse(action as never) : undefined));
      const writes = world.statusWrites;
      world.pass((action) => (action.type.kind === "Pod" ? refuse(action as never) : undefined));
      expect(world.statusWrites).to.equal(writes);
      expect(world.events.at(-1)).to.equal(
        'FailedToCreateHeadPod: Failed to create head Pod ns/demo-head-, pods "demo-head-" is forbidden: exceeded quota',
      );
    });
  });

  describe("the head", () => {
    it("is replaced when it is gone", () => {
      const world = runningWorld();
      const [head] = world.heads;
      world.lose(head!);
      world.settle();
      expect(world.heads).to.have.length(1);
      expect(world.heads[0]?.metadata.name).not.to.equal(head?.metadata.name);
    });

    it("is deleted when it failed, and its successor waits until it is really gone", () => {
      const world = runningWorld();
      world.change(world.heads[0]!, { phase: "Failed" });
      world.pass();
      expect(world.heads.filter(isAlive)).to.have.length(0);
      world.pass();
      expect(world.heads).to.have.length(1);
      world.removeTerminating();
      world.pass();
      expect(world.heads.filter(isAlive)).to.have.length(1);
      expect(reasons(world)).to.deep.equal(["DeletedHeadPod", "CreatedHeadPod"]);
    });

    it("is deleted when only a sidecar runs on under restartPolicy Never, and kept under Always", () => {
      const world = runningWorld();
      world.change(world.heads[0]!, { rayTerminated: "Error (exit code 1)", restartPolicy: "Always" });
      expect(world.pass().actions).to.have.length(0);
      world.change(world.heads[0]!, { restartPolicy: "Never" });
      expect(world.pass().actions.map((action) => action.reason)).to.deep.equal([
        "its Ray container ended: Error (exit code 1), and restartPolicy is Never",
      ]);
    });

    it("gives way to the one that serves when there are two", () => {
      const world = runningWorld();
      const [first] = world.heads;
      const second = {
        ...first!,
        metadata: { ...first!.metadata, name: "older", uid: "older", creationTimestamp: "2025-01-01T00:00:00Z" },
        phase: "Pending",
      };
      const { ready: _none, ...pending } = second;
      world.pods = [...world.pods, pending];
      world.pass();
      expect(world.heads.filter(isAlive)).to.deep.equal([first]);
    });

    it("is not made again where a sidecar-mode job could not go on", () => {
      const world = runningWorld();
      world.cluster.metadata.annotations = { "ray.io/disable-provisioned-head-restart": "true" };
      world.lose(world.heads[0]!);
      world.settle();
      expect(world.heads).to.have.length(0);
    });
  });

  describe("worker groups", () => {
    it("scale up and down to their bounds", () => {
      const world = runningWorld(2);
      world.editGroup(0, { replicas: 5 });
      world.settle();
      expect(world.workers).to.have.length(5);
      world.editGroup(0, { replicas: 500, maxReplicas: 4 });
      world.settle();
      expect(world.workers).to.have.length(4);
      world.editGroup(0, { replicas: 0, minReplicas: 1 });
      world.settle();
      expect(world.workers).to.have.length(1);
    });

    it("give up first what is missed least", () => {
      const world = runningWorld(3);
      const [, middle] = world.workers;
      world.change(middle!, { phase: "Pending", scheduled: false });
      world.editGroup(0, { replicas: 2 });
      world.settle();
      expect(world.workers.map((pod) => pod.metadata.name)).not.to.include(middle?.metadata.name);
    });

    it("delete exactly the named pods, under autoscaling too, and nothing else by themselves", () => {
      const world = new World(smallCluster(3, { enableInTreeAutoscaling: true }));
      world.settle();
      world.run();
      world.settle();
      const victim = world.workers[1]!.metadata.name;
      world.editGroup(0, { replicas: 2, scaleStrategy: { workersToDelete: [victim, "somebody-elses-pod"] } });
      world.settle();
      expect(world.workers).to.have.length(2);
      expect(world.workers.map((pod) => pod.metadata.name)).not.to.include(victim);
      world.editGroup(0, { replicas: 1, scaleStrategy: { workersToDelete: [victim] } });
      world.settle();
      expect(world.workers).to.have.length(2);
    });

    it("replace a pod that failed, under a new name and with the free index", () => {
      const world = runningWorld(2);
      const failed = world.workers[0]!;
      world.change(failed, { phase: "Failed" });
      world.settle();
      expect(world.workers).to.have.length(2);
      expect(world.workers.map((pod) => pod.metadata.name)).not.to.include(failed.metadata.name);
      expect(world.workers.map((pod) => pod.metadata.labels["ray.io/worker-group-replica-index"]).sort()).to.deep.equal(
        ["0", "1"],
      );
    });

    it("do not count a pod that somebody deletes, however long it takes to go", () => {
      const world = runningWorld(2);
      const going = world.workers[0]!;
      world.change(going, { metadata: { ...going.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
      world.pass();
      expect(world.workers.filter(isAlive)).to.have.length(2);
      expect(world.workers).to.have.length(3);
      expect(world.pass().actions).to.have.length(0);
    });

    it("have no pods while suspended, and those of a group that left the spec go", () => {
      const world = runningWorld(2);
      world.editGroup(0, { suspend: true });
      world.settle();
      expect(world.workers).to.have.length(0);
      expect(world.cluster.status?.desiredWorkerReplicas).to.equal(undefined);
      world.editGroup(0, { suspend: false });
      world.settle();
      world.edit({ workerGroupSpecs: [] });
      world.settle();
      expect(world.workers).to.have.length(0);
    });

    it("are all looked at when one of them cannot be made", () => {
      const cluster = smallCluster(1);
      const [group] = cluster.spec.workerGroupSpecs!;
      cluster.spec.workerGroupSpecs = [
        { ...group!, groupName: "bad" },
        { ...group!, groupName: "good" },
      ];
      const world = new World(cluster);
      world.pass((action) => (action.batch === "workers of bad" ? "refused" : undefined));
      expect(world.workers.map((pod) => pod.metadata.labels["ray.io/group"])).to.deep.equal(["good"]);
      world.run();
      world.pass((action) => (action.batch === "workers of bad" ? "refused" : undefined));
      expect(world.cluster.status?.conditions?.find((c) => c.type === "RayClusterProvisioned")?.status).to.equal(
        "False",
      );
    });
  });

  describe("multi-host groups", () => {
    const multiHost = () => {
      const cluster = smallCluster(2);
      cluster.spec.workerGroupSpecs![0]!.numOfHosts = 3;
      const world = new World(cluster);
      world.settle();
      world.run();
      world.settle();
      return world;
    };
    const replicaNames = (world: World) =>
      world.workers.map((pod) => pod.metadata.labels["ray.io/worker-group-replica-name"]);

    it("come as whole replicas with host and replica indices", () => {
      const world = multiHost();
      expect(world.workers).to.have.length(6);
      expect(new Set(replicaNames(world)).size).to.equal(2);
      expect(world.workers.map((pod) => pod.metadata.labels["ray.io/replica-host-index"])).to.deep.equal([
        "0",
        "1",
        "2",
        "0",
        "1",
        "2",
      ]);
      expect(world.services.map((service) => service.metadata.name)).to.include("demo-headless");
    });

    it("lose and replace a whole replica when one host is lost", () => {
      const world = multiHost();
      const [broken, , , whole] = replicaNames(world);
      world.lose(world.workers[0]!);
      world.settle();
      expect(world.workers).to.have.length(6);
      expect(replicaNames(world)).not.to.include(broken);
      expect(replicaNames(world)).to.include(whole);
    });

    it("go as a whole when one host is named for deletion", () => {
      const world = multiHost();
      world.editGroup(0, { replicas: 1, scaleStrategy: { workersToDelete: [world.workers[4]!.metadata.name] } });
      const kept = replicaNames(world)[0];
      world.settle();
      expect(replicaNames(world)).to.deep.equal([kept, kept, kept]);
    });

    it("are adopted, not doubled, when they are older than the indexing", () => {
      const world = multiHost();
      const before = world.workers.map((pod) => pod.metadata.name);
      for (const pod of world.workers) {
        const {
          "ray.io/worker-group-replica-name": _name,
          "ray.io/replica-host-index": _host,
          ...labels
        } = pod.metadata.labels;
        world.change(pod, { metadata: { ...pod.metadata, labels } });
      }
      world.settle();
      expect(world.workers.map((pod) => pod.metadata.name)).to.deep.equal(before);
      expect(new Set(replicaNames(world)).size).to.equal(2);
    });
  });

  describe("suspension", () => {
    it("runs to its end in two recorded steps and resumes with new pods", () => {
      const world = runningWorld(2);
      const old = world.pods.map((pod) => pod.metadata.name);
      world.edit({ suspend: true });
      world.pass();
      expect(world.pods.filter(isAlive)).to.have.length(3);
      world.settle();
      expect(world.pods).to.have.length(0);
      expect(world.cluster.status?.state).to.equal("suspended");
      expect(reasons(world)).to.deep.equal(["DeletedPod"]);
      const { suspend: _gone, ...resumed } = world.cluster.spec;
      world.cluster = { ...world.cluster, spec: resumed };
      world.settle();
      world.run();
      world.settle();
      expect(world.cluster.status?.state).to.equal("ready");
      expect(world.pods.map((pod) => pod.metadata.name)).not.to.include.members(old);
    });

    it("deletes everything it began to delete even when the user changes his mind", () => {
      const world = runningWorld(2);
      world.edit({ suspend: true });
      world.pass();
      world.edit({ suspend: false });
      world.pass();
      expect(world.pods.filter(isAlive)).to.have.length(0);
      world.pass();
      expect(world.cluster.status?.conditions?.find((c) => c.type === "RayClusterSuspending")?.status).to.equal("True");
      world.removeTerminating();
      world.settle();
      expect(world.pods).to.have.length(3);
    });
  });

  describe("objects that are not to be touched", () => {
    it("are those that another controller manages", () => {
      const world = new World(smallCluster(1, { managedBy: "kueue.x-k8s.io/multikueue" }));
      expect(world.pass().ignore).to.equal("spec.managedBy gives it to kueue.x-k8s.io/multikueue");
      expect(world.cluster.status).to.equal(undefined);
    });

    it("are those being deleted, also when they have become invalid", () => {
      const cluster = smallCluster(1, { rayVersion: "2.52.0" });
      cluster.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
      cluster.spec.workerGroupSpecs![0]!.minReplicas = 200;
      expect(new World(cluster).pass().ignore).to.match(/being deleted/);
    });

    it("keep what runs when a bad edit makes them invalid, and say so once with the field", () => {
      const world = runningWorld(2);
      world.editGroup(0, { minReplicas: 200 });
      world.settle();
      expect(world.workers).to.have.length(2);
      expect(world.events).to.deep.equal([
        "InvalidRayClusterSpec: The RayCluster spec is invalid ns/demo: worker group small has minReplicas 200 greater than maxReplicas 100",
      ]);
      expect(world.cluster.status?.conditions?.find((c) => c.type === "Reconciled")).to.include({
        status: "False",
        reason: "InvalidRayClusterSpec",
      });
      world.editGroup(0, { minReplicas: 0 });
      world.settle();
      expect(world.cluster.status?.conditions?.some((c) => c.type === "Reconciled")).to.equal(false);
    });
  });

  it("come to rest from any state of the pods, with one head, the right number of workers and no name used twice", () => {
    const phase = fc.constantFrom("Pending", "Running", "Failed", "Succeeded");
    const scenario = fc.record({
      replicas: fc.integer({ min: 0, max: 6 }),
      hosts: fc.integer({ min: 1, max: 3 }),
      later: fc.integer({ min: 0, max: 6 }),
      phases: fc.array(fc.tuple(phase, fc.boolean(), fc.boolean()), { maxLength: 20 }),
      seed: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(scenario, ({ replicas, hosts, later, phases, seed }) => {
        const cluster = smallCluster(replicas);
        cluster.spec.workerGroupSpecs![0]!.numOfHosts = hosts;
        const world = new World(cluster, {}, seed);
        world.settle();
        phases.forEach(([next, lost, going], i) => {
          const pod = world.pods[i % Math.max(1, world.pods.length)];
          if (!pod) return;
          if (lost) world.lose(pod);
          else if (going)
            world.change(pod, { metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
          else world.change(pod, { phase: next });
        });
        world.editGroup(0, { replicas: later });
        world.settle();
        expect(world.heads.filter(isAlive)).to.have.length(1);
        expect(world.workers.filter(isAlive)).to.have.length(later * hosts);
        expect(new Set(world.podNames).size).to.equal(world.podNames.length);
        expect(world.pass().actions).to.deep.equal([]);
      }),
      { numRuns: 200 },
    );
  });
});
