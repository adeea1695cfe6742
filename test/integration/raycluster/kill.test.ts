// The operator may die at any moment: kill -9 at random ones (KILLS of them, 20 unless told; SEED repeats a run), and in
// the end everything is there, once.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { eventually } from "../../support/eventually.ts";
import { describeWrite } from "./support/audit-log.ts";
import { Crew } from "./support/crew.ts";
import { everything, exactlyWhatIsWanted } from "./support/everything.ts";
import { PodWatch } from "./support/pod-watch.ts";
import { seeded } from "./support/random.ts";
import { names, restore, type Scenario, scenarios } from "./support/scenarios.ts";
import { useTestCluster } from "./support/test-cluster.ts";
import { namesOf, type TestNamespace } from "./support/test-namespace.ts";

const kills = Number(process.env.KILLS ?? 20);
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000));
const killsPerWave = kills > 40 ? 8 : 4;
const waves = Math.ceil(kills / killsPerWave);
const withinMs = 60_000;

/** When nothing happens any more, a kill does not wait for it. */
const LONGEST_WAIT_MS = 3_000;
const QUIET_MS = 1_500;

describe(`kill -9 of the operator (KILLS=${kills} SEED=${seed})`, () => {
  const cluster = useTestCluster();
  const random = seeded(seed);
  const figures = { kills: 0, pods: 0, mostHeads: 0, killedAt: [] as number[] };
  let namespace: TestNamespace;

  before(async () => {
    namespace = await cluster().namespace("kill");
  });
  after(() => console.log(`      ${summary()}`));

  for (let wave = 0; wave < waves; wave++) {
    const scenario = scenarios[wave % scenarios.length] as Scenario;
    const count = Math.min(killsPerWave, kills - wave * killsPerWave);
    it(`${count} times while ${scenario.name}: nothing missing, nothing double, and a restart writes nothing`, async function () {
      this.timeout(240_000);
      await play(scenario, count);
    });
  }

  it("and after that, deleting all clusters leaves nothing behind", async function () {
    this.timeout(90_000);
    await removeAll();
  });

  async function play(scenario: Scenario, count: number): Promise<void> {
    if (scenario.fromNothing) await removeAll();
    const watch = new PodWatch(namespace);
    const crew = new Crew(cluster(), scenario.pair ? 2 : 1);
    try {
      for (let number = 0; number < count; number++) {
        await scenario.step({ namespace, random, number, of: count });
        await killAtRandomMoment(crew, watch);
      }
      await Promise.all(names.map((name) => restore(namespace, name)));
      await settled(crew);
      expect(watch.namesUsedTwice, "names that two pods had").to.deep.equal([]);
      await restartWritesNothing(crew);
    } finally {
      const survivors = await crew.killAll();
      await watch.stop();
      expect(survivors.flatMap(({ panics }) => panics)).to.deep.equal([]);
      figures.pods += watch.created;
      figures.mostHeads = Math.max(figures.mostHeads, watch.mostHeads);
    }
  }

  /** After some changes of pods, after some time, or in the first pass after a start: each can be before it works. */
  async function killAtRandomMoment(crew: Crew, watch: PodWatch): Promise<void> {
    const kind = random.next();
    if (kind < 0.75) await crew.working();
    const from = watch.changes;
    const changes = random.integer(1, 80);
    if (kind < 0.6) await changed(() => watch.changes - from >= changes);
    else await sleep(random.integer(0, kind < 0.75 ? 60 : 1_200));
    figures.killedAt.push(watch.changes - from);
    const victim = await crew.killOne(random);
    figures.kills++;
    expect(victim.panics).to.deep.equal([]);
  }

  async function changed(enough: () => boolean): Promise<void> {
    const deadline = performance.now() + LONGEST_WAIT_MS;
    while (!enough() && performance.now() < deadline) await sleep(1);
  }

  async function settled(crew: Crew): Promise<void> {
    try {
      await eventually(async () => exactlyWhatIsWanted(await everything(namespace)), { withinMs, everyMs: 200 });
    } catch (error) {
      const writes = cluster().audit.writes().slice(-20);
      console.error([crew.describe(), "the last writes:", ...writes.map(describeWrite)].join("\n"));
      throw error;
    }
  }

  async function restartWritesNothing(crew: Crew): Promise<void> {
    const { audit } = cluster();
    await crew.working();
    await sleep(QUIET_MS);
    await crew.killAll();
    const mark = audit.mark();
    const operator = await cluster().startOperator().working();
    await sleep(QUIET_MS);
    await operator.stop();
    const writes = audit.writes(mark).filter((write) => write.namespace === namespace.name);
    expect(writes.map(describeWrite), "writes after a restart").to.deep.equal([]);
  }

  async function removeAll(): Promise<void> {
    const { clusters } = await everything(namespace);
    await Promise.all(namesOf(clusters).map((name) => namespace.remove(name)));
    await eventually(
      async () => {
        const { clusters, pods, services } = await everything(namespace);
        expect(namesOf([...clusters, ...pods, ...services])).to.deep.equal([]);
      },
      { withinMs, everyMs: 200 },
    );
  }

  function summary(): string {
    const inWork = figures.killedAt.filter((changes) => changes > 0).length;
    return `${figures.kills} kills, ${inWork} of them after pods had begun to change; ${figures.pods} pods made; most heads of a cluster at one moment: ${figures.mostHeads}`;
  }
});
