import { expect } from "chai";
import { isAlive } from "../../../controllers/raycluster/observed.ts";
import { smallCluster, World } from "../../support/world.ts";

describe("a RayCluster that asks for more than can be", () => {
  it("gets 1,000 pods a pass, over all groups, and the rest in the passes that follow", () => {
    const cluster = smallCluster(900);
    const [group] = cluster.spec.workerGroupSpecs!;
    const groups = ["a", "b", "c"].map((groupName) => ({ ...group!, groupName, maxReplicas: 2_147_483_647 }));
    cluster.spec.workerGroupSpecs = groups;
    const world = new World(cluster);
    const created = [world.pass(), world.pass(), world.pass(), world.pass()].map(
      ({ actions }) => actions.filter(({ batch }) => batch !== undefined).length,
    );
    expect(created).to.deep.equal([1_000, 1_000, 700, 0]);
    expect(world.workers.filter(isAlive)).to.have.length(2_700);
  });

  it("does not take the operator's memory with two thousand million replicas", () => {
    const cluster = smallCluster(2_147_483_647);
    cluster.spec.workerGroupSpecs![0]!.maxReplicas = 2_147_483_647;
    expect(new World(cluster).pass().actions).to.have.length(1_002);
  });

  it("gets the replicas of multi-host groups as wholes", () => {
    const cluster = smallCluster(5);
    cluster.spec.workerGroupSpecs![0]!.numOfHosts = 300;
    const world = new World(cluster);
    world.pass();
    expect(world.workers).to.have.length(1_200);
    world.settle();
    expect(world.workers).to.have.length(1_500);
  });

  it("is refused when one replica alone has more hosts than any machine", () => {
    const cluster = smallCluster(1);
    cluster.spec.workerGroupSpecs![0]!.numOfHosts = 2_000_000_000;
    const world = new World(cluster);
    world.settle();
    expect(world.events).to.deep.equal([
      "InvalidRayClusterSpec: The RayCluster spec is invalid ns/demo: worker group small has numOfHosts 2000000000, but a replica has at most 4096 hosts",
    ]);
  });
});
