import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { simulate } from "../../../src/local/simulated/stages.ts";
import { eventually } from "../../support/eventually.ts";
import { describeWrite } from "./support/audit-log.ts";
import { rayCluster } from "./support/clusters.ts";
import { useOperator } from "./support/test-cluster.ts";
import { conditionOf } from "./support/test-namespace.ts";

const REST_MS = 30_000;

describe("RayClusters at rest", function () {
  this.timeout(120_000);
  // So that each is looked at many times meanwhile, and not only when something happens.
  const running = useOperator({ env: { RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV: "2" } });

  it(`cost no write in ${REST_MS / 1000} s, no event either: ready ones, suspended ones, half ready and refused ones`, async () => {
    const { audit } = running().cluster;
    const namespace = await running().cluster.namespace("rest");
    const ready = ["a", "b", "c", "d", "e"];
    await Promise.all([
      ...ready.map((name) => namespace.create(rayCluster(name, { replicas: 3 }))),
      namespace.create(rayCluster("autoscaled", { spec: { enableInTreeAutoscaling: true } })),
      namespace.create(rayCluster("multi-host", { group: { numOfHosts: 3 } })),
      namespace.create(rayCluster("suspended", { spec: { suspend: true } })),
      namespace.create(rayCluster("half", { workerAnnotations: { [simulate.neverReady]: "true" } })),
      namespace.create(rayCluster("refused", { group: { minReplicas: 9, maxReplicas: 1 } })),
    ]);
    await Promise.all([
      ...ready.map((name) => namespace.settled(name, 3)),
      namespace.settled("autoscaled", 2),
      namespace.settled("multi-host", 6),
      eventually(async () => {
        expect((await namespace.get("suspended")).status?.state).to.equal("suspended");
        expect((await namespace.get("half")).status?.availableWorkerReplicas).to.equal(2);
        expect(conditionOf(await namespace.get("refused"), "Reconciled")?.status).to.equal("False");
      }),
    ]);
    // Events are written a moment after what they tell of.
    await sleep(1_500);
    const mark = audit.mark();
    await sleep(REST_MS);
    expect(audit.all(mark).map(describeWrite)).to.deep.equal([]);
  });
});
