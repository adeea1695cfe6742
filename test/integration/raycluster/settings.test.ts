// What an operator's flags and environment change for a RayCluster.
import { expect } from "chai";
import { eventually, throughout } from "../../support/eventually.ts";
import type { OperatorProcess } from "../../support/operator-process.ts";
import { describeWrite } from "./support/audit-log.ts";
import { rayCluster } from "./support/clusters.ts";
import { useTestCluster } from "./support/test-cluster.ts";
import { conditionOf, namesOf, type TestNamespace } from "./support/test-namespace.ts";

describe("an operator with settings of its own", () => {
  const cluster = useTestCluster();
  let operator: OperatorProcess | undefined;
  let namespace: TestNamespace;

  async function start(env: NodeJS.ProcessEnv, flags: readonly string[] = []): Promise<void> {
    namespace = await cluster().namespace("settings");
    operator = await cluster()
      .startOperator({ env, flags: [`--watch-namespace=${namespace.name}`, ...flags] })
      .working();
  }

  afterEach(async () => {
    expect(operator?.panics).to.deep.equal([]);
    await operator?.stop();
  });

  it("gives every head of a cluster the same name under ENABLE_DETERMINISTIC_HEAD_POD_NAME, one after the other", async () => {
    await start({ ENABLE_DETERMINISTIC_HEAD_POD_NAME: "true" });
    await namespace.create(rayCluster("demo", { replicas: 1 }));
    await namespace.settled("demo", 1);
    const uids = new Set<string | undefined>();
    for (let times = 0; times < 3; times++) {
      const [head] = await namespace.heads("demo");
      expect(head?.metadata.name).to.equal("demo-head");
      uids.add(head?.metadata.uid);
      await namespace.remove("demo-head", "pods");
      await eventually(async () =>
        expect((await namespace.heads("demo"))[0]?.metadata.uid).not.to.be.oneOf([...uids, undefined]),
      );
      await namespace.settled("demo", 1);
    }
  });

  it("suspends and resumes without conditions where their gate is off, and rests in between", async () => {
    await start({}, ["--feature-gates=RayClusterStatusConditions=false"]);
    await namespace.create(rayCluster("demo"));
    await eventually(async () => expect((await namespace.get("demo")).status?.state).to.equal("ready"));
    await namespace.edit("demo", { suspend: true });
    await eventually(async () => expect((await namespace.get("demo")).status?.state).to.equal("suspended"));
    expect(await namespace.pods("demo")).to.deep.equal([]);
    const mark = cluster().audit.mark();
    await throughout(1_500, async () => expect(await namespace.pods("demo")).to.deep.equal([]));
    expect(cluster().audit.writes(mark).map(describeWrite)).to.deep.equal([]);
    await namespace.edit("demo", { suspend: false });
    await eventually(async () => {
      const { status } = await namespace.get("demo");
      expect(status).to.include({ state: "ready", readyWorkerReplicas: 2 });
    });
    expect(conditionOf(await namespace.get("demo"), "HeadPodReady")).to.equal(undefined);
  });

  it("chooses who goes under autoscaling where ENABLE_RANDOM_POD_DELETE allows it", async () => {
    await start({ ENABLE_RANDOM_POD_DELETE: "true" });
    await namespace.create(rayCluster("demo", { replicas: 3, spec: { enableInTreeAutoscaling: true } }));
    await namespace.settled("demo", 3);
    const before = namesOf(await namespace.workers("demo"));
    await namespace.editGroup("demo", { replicas: 1 });
    await namespace.settled("demo", 1);
    expect(before).to.include.members(namesOf(await namespace.workers("demo")));
  });

  it("makes no multi-host replicas where their gate is off: as many pods, without indices", async () => {
    await start({}, ["--feature-gates=RayMultiHostIndexing=false"]);
    await namespace.create(rayCluster("demo", { replicas: 2, group: { numOfHosts: 2 } }));
    await namespace.settled("demo", 4);
    const [lost, ...others] = await namespace.workers("demo");
    expect(lost?.metadata.labels).not.to.have.property("ray.io/worker-group-replica-name");
    await namespace.remove(lost!.metadata.name, "pods");
    await eventually(async () => expect(namesOf(await namespace.pods("demo"))).not.to.include(lost?.metadata.name));
    await namespace.settled("demo", 4);
    expect(namesOf(await namespace.workers("demo"))).to.include.members(namesOf(others));
  });
});
