// The API server goes away in the middle of work: answers are lost, so that nobody knows what was created.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { eventually } from "../../support/eventually.ts";
import { describeWrite } from "./support/audit-log.ts";
import { everything, exactlyWhatIsWanted } from "./support/everything.ts";
import { create, names } from "./support/scenarios.ts";
import { useOperator } from "./support/test-cluster.ts";

const CRASHES = 2;

describe("an API server that crashes", function () {
  this.timeout(240_000);
  const running = useOperator();

  it(`${CRASHES} times while 20 clusters of 5 pods come up leaves nothing missing and nothing double`, async () => {
    const { cluster, operator } = running();
    const { local, audit } = cluster;
    const namespace = await cluster.namespace("crash");
    const share = Math.ceil(names.length / CRASHES);
    for (let crash = 0; crash < CRASHES; crash++) {
      const next = names.slice(crash * share, (crash + 1) * share);
      await Promise.all(next.map((name) => create(namespace, name)));
      await local.stopApiServer("hard");
      await sleep(500);
      await local.startApiServer();
    }
    await eventually(async () => exactlyWhatIsWanted(await everything(namespace)), {
      withinMs: 150_000,
      everyMs: 500,
    });
    await sleep(1_500);
    const mark = audit.mark();
    await sleep(3_000);
    expect(audit.writes(mark).map(describeWrite)).to.deep.equal([]);
    expect(operator.panics).to.deep.equal([]);
    expect(operator.end, "the operator runs on").to.equal(undefined);
    await Promise.all(names.map((name) => namespace.remove(name)));
  });
});
