// Two operators and one lease: one works, the other takes over, whatever becomes of the first.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { eventually } from "../../support/eventually.ts";
import type { OperatorProcess } from "../../support/operator-process.ts";
import { describeWrite } from "./support/audit-log.ts";
import { rayCluster } from "./support/clusters.ts";
import { LEASE_NAMESPACE, useTestCluster } from "./support/test-cluster.ts";
import { namesOf, type TestNamespace } from "./support/test-namespace.ts";

const election = ["--enable-leader-election=true", `--leader-election-namespace=${LEASE_NAMESPACE}`];
const LEASE_MS = 2_000;
const shortLease = [
  ...election,
  `--leader-election-lease-duration=${LEASE_MS}ms`,
  "--leader-election-renew-deadline=1500ms",
  "--leader-election-retry-period=250ms",
];

describe("two operators with leader election", function () {
  this.timeout(60_000);
  const cluster = useTestCluster();
  let leader: OperatorProcess;
  let standby: OperatorProcess;
  let namespace: TestNamespace;

  async function start(flags: readonly string[]): Promise<void> {
    namespace = await cluster().namespace("election");
    leader = await cluster().startOperator({ flags }, "leader").working();
    standby = cluster().startOperator({ flags }, "standby");
    await eventually(() => expect(standby.has("waiting for the leader lease")).to.equal(true));
  }

  async function millisecondsUntilTakeover(): Promise<number> {
    const from = performance.now();
    await standby.working();
    return performance.now() - from;
  }

  const writesOf = (user: string, since: number) =>
    cluster()
      .audit.all(since)
      .filter((write) => write.user === user && write.resource !== "events");

  afterEach(async () => {
    leader.signal("SIGCONT");
    await Promise.all([leader.kill(), standby.kill()]);
  });

  it("do not work both: the standby writes nothing, not even to the lease", async () => {
    const mark = cluster().audit.mark();
    await start(shortLease);
    await namespace.create(rayCluster("demo", { replicas: 3 }));
    await namespace.settled("demo", 3);
    await sleep(LEASE_MS);
    expect(standby.has("caches are complete")).to.equal(false);
    expect(writesOf("standby", mark).map(describeWrite)).to.deep.equal([]);
    expect(writesOf("leader", mark).filter(({ resource }) => resource === "leases")).not.to.deep.equal([]);
  });

  it("change over within the lease's duration after kill -9 of the leader, in the middle of work", async () => {
    await start(shortLease);
    const names = ["a", "b", "c", "d"];
    await Promise.all(names.map((name) => namespace.create(rayCluster(name, { replicas: 5 }))));
    await leader.kill();
    const tookMs = await millisecondsUntilTakeover();
    for (const name of names) await namespace.settled(name, 5);
    expect(await namespace.list("pods")).to.have.length(24);
    // The lease, a retry with its jitter, and the lists.
    expect(tookMs).to.be.within(500, LEASE_MS + 250 * 1.2 + 1_500);
  });

  it("change over at once when the leader ends orderly: it gives up a lease that would hold for 15 s", async () => {
    await start(election);
    leader.signal("SIGTERM");
    const tookMs = await millisecondsUntilTakeover();
    expect((await leader.exited).code).to.equal(0);
    // The default retry period of 2 s with its jitter, and the lists.
    expect(tookMs).to.be.below(2_400 + 1_500);
    await namespace.create(rayCluster("demo"));
    await namespace.settled("demo", 2);
  });

  it("do not both write when the leader is stopped for longer than the lease and then goes on", async () => {
    await start(shortLease);
    const names = Array.from({ length: 6 }, (_, index) => `c${index}`);
    await Promise.all(names.map((name) => namespace.create(rayCluster(name, { replicas: 6 }))));
    leader.signal("SIGSTOP");
    await standby.working();
    const mark = cluster().audit.mark();
    for (const name of names) await namespace.settled(name, 6);
    const pods = namesOf(await namespace.list("pods"));
    leader.signal("SIGCONT");
    await sleep(1_500);
    // It may ask for the lease, which is refused; that is how it learns of its loss.
    const written = writesOf("leader", mark).filter(({ resource, code }) => resource !== "leases" || code < 300);
    expect(written.map(describeWrite)).to.deep.equal([]);
    expect(namesOf(await namespace.list("pods"))).to.deep.equal(pods);
    expect(pods).to.have.length(6 * 7);
    expect(leader.end, "it lives on and waits for its turn").to.equal(undefined);
    await eventually(() =>
      expect(leader.lines.filter(({ msg }) => msg === "waiting for the leader lease")).to.have.length(2),
    );
    await standby.kill();
    const since = cluster().audit.mark();
    await namespace.create(rayCluster("after"));
    await namespace.settled("after", 2);
    expect(writesOf("leader", since).length).to.be.greaterThan(0);
  });
});
