// The operator as a process: what it costs when idle, how fast it starts, how it ends, and what stands by.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { freePorts } from "../../src/local/ports.ts";
import { eventually } from "../support/eventually.ts";
import { type OperatorProcess, operatorBundle, startOperator } from "../support/operator-process.ts";
import { rayCluster } from "./raycluster/support/clusters.ts";
import { LEASE_NAMESPACE, useTestCluster } from "./raycluster/support/test-cluster.ts";

/** What must hold for an idle operator (docs/acceptance.md), in MB. */
const mostResident = 100;
const mostAnonymous = 50;

describe("the operator's process", function () {
  this.timeout(90_000);
  const cluster = useTestCluster();
  const running: OperatorProcess[] = [];
  before(() => void operatorBundle());
  afterEach(async () => {
    await Promise.all(running.splice(0).map((operator) => operator.stop()));
  });

  async function start(...flags: string[]): Promise<{ operator: OperatorProcess; get: Get }> {
    const [metrics, health] = await freePorts(2);
    const operator = cluster().startOperator({
      flags: [`--metrics-addr=127.0.0.1:${metrics}`, `--health-probe-bind-address=127.0.0.1:${health}`, ...flags],
    });
    running.push(operator);
    const get: Get = async (path) => {
      const response = await fetch(`http://127.0.0.1:${path === "/metrics" ? metrics : health}${path}`);
      return { status: response.status, text: await response.text() };
    };
    return { operator, get };
  }

  it(`takes at most ${mostResident} MB, ${mostAnonymous} MB of them its own, when it has nothing to do`, async () => {
    const { operator } = await start("--enable-metrics");
    await operator.working();
    // Past the start, and past the first collection of what the start left behind.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    const { resident, anonymous } = memoryOf(operator.pid);
    console.log(`        ${resident} MB resident, ${anonymous} MB anonymous`);
    expect(resident, "resident").to.be.at.most(mostResident);
    expect(anonymous, "anonymous").to.be.at.most(mostAnonymous);
  });

  it("answers on /metrics before it knows the cluster, and is ready once its caches are complete", async () => {
    const { operator, get } = await start("--enable-metrics");
    await eventually(async () => expect((await get("/metrics")).status).to.equal(200), {
      withinMs: 5_000,
      everyMs: 20,
    });
    expect((await get("/healthz")).status).to.equal(200);
    await operator.working();
    expect(await get("/readyz")).to.deep.equal({ status: 200, text: "ok" });
    expect((await get("/metrics")).text).to.contain('controller_runtime_reconcile_total{controller="raycluster"');
  });

  it("looks at a settled cluster within a second of its start, and writes nothing", async function () {
    // A machine that others use as well may need a second try.
    this.retries(3);
    const namespace = await cluster().namespace("settled");
    await namespace.create(rayCluster("calm", { replicas: 3 }));
    const first = await start();
    await first.operator.working();
    await namespace.settled("calm", 3);
    await first.operator.stop();
    const mark = cluster().audit.mark();
    const { operator, get } = await start("--enable-metrics");
    const reconciles = async () => {
      const { text } = await get("/metrics");
      const counts = text.matchAll(/^controller_runtime_reconcile_total\{.*\} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    await eventually(async () => expect(await reconciles()).to.be.at.least(1), { withinMs: 10_000, everyMs: 5 });
    const seconds = (performance.now() - operator.startedAt) / 1000;
    console.log(`        ${seconds.toFixed(2)} s from the start of the process to its first reconcile`);
    expect(seconds).to.be.below(1);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(cluster().audit.writes(mark)).to.deep.equal([]);
  });

  it("ends with 0 after SIGTERM, within a second when nothing is in work", async function () {
    this.retries(3);
    const { operator } = await start();
    await operator.working();
    const { code, tookMs } = await operator.stop();
    expect(code).to.equal(0);
    expect(tookMs).to.be.below(1_000);
    expect(operator.lines.at(-1)?.msg).to.equal("stopped");
  });

  it("stands by, ready and with metrics, until the leader ends, and then takes over at once", async () => {
    const election = ["--enable-leader-election=true", `--leader-election-namespace=${LEASE_NAMESPACE}`];
    const leader = await start(...election);
    await leader.operator.working();
    const standby = await start(...election, "--enable-metrics");
    await eventually(async () => expect((await standby.get("/readyz")).status).to.equal(200));
    const { text } = await standby.get("/metrics");
    expect(text).to.contain('leader_election_master_status{name="ray-operator-leader"} 0');
    expect(standby.operator.has("caches are complete")).to.equal(false);

    await leader.operator.stop();
    const endedAt = performance.now();
    await standby.operator.working();
    expect(performance.now() - endedAt).to.be.below(5_000);
    expect((await standby.get("/metrics")).text).to.contain(
      'leader_election_master_status{name="ray-operator-leader"} 1',
    );
  });

  it("reconciles only the namespaces it is told to watch", async () => {
    const [watched, other] = [await cluster().namespace("watched"), await cluster().namespace("other")];
    const { operator } = await start(`--watch-namespace=${watched.name}, nowhere,`);
    await operator.working();
    await other.create(rayCluster("left-alone", { replicas: 1 }));
    await watched.create(rayCluster("looked-after", { replicas: 1 }));
    await watched.settled("looked-after", 1);
    expect(await other.pods("left-alone")).to.deep.equal([]);
  });
});

describe("a start that cannot succeed", function () {
  this.timeout(30_000);

  const wrong: [string, string[], number, RegExp][] = [
    ["an unknown flag", ["--enable-metric"], 2, /not defined: -enable-metric \(did you mean --enable-metrics\?\)/],
    ["a wrong value", ["--qps=many"], 2, /invalid value "many" for flag -qps: parse error/],
    ["a configuration file that is not there", ["--config=/nowhere.yaml"], 1, /cannot read the configuration file/],
    ["an unknown feature gate", ["--feature-gates=Magic=true"], 1, /unrecognized feature gate: Magic/],
    ["a kubeconfig that is not there", ["--kubeconfig=/nowhere"], 1, /cannot read kubeconfig \/nowhere/],
    ["an address that is not ours", ["--metrics-addr=192.0.2.1:80"], 1, /cannot listen on 192\.0\.2\.1:80/],
    ["no namespace for the lease", ["--enable-leader-election=true"], 1, /needs --leader-election-namespace/],
  ];
  for (const [what, flags, code, line] of wrong) {
    it(`says in one line that there is ${what}, and ends with ${code}`, async () => {
      const kubeconfig = flags.some((flag) => flag.startsWith("--kubeconfig")) ? {} : { kubeconfig: unreachable() };
      const operator = startOperator({ ...kubeconfig, flags });
      expect((await operator.exited).code).to.equal(code);
      expect(operator.lines.map(({ msg }) => msg)).to.have.lengthOf(1);
      expect(operator.lines[0]?.msg).to.match(line);
    });
  }

  it("says in one line that the API server cannot be reached, and ends with 1", async () => {
    const operator = startOperator({ kubeconfig: unreachable() });
    expect((await operator.exited).code).to.equal(1);
    expect(operator.lines).to.have.lengthOf(1);
    expect(operator.lines[0]).to.include({ level: "error", logger: "setup" });
    expect(operator.lines[0]?.msg).to.contain("cannot reach the API server https://127.0.0.1:1: connect ECONNREFUSED");
  });
});

type Get = (path: string) => Promise<{ status: number; text: string }>;

/** A kubeconfig of a server that is not there. */
function unreachable(): string {
  const path = join(mkdtempSync(join(tmpdir(), "unreachable-")), "kubeconfig");
  const context = { name: "a", context: { cluster: "a", user: "a" } };
  const clusters = [{ name: "a", cluster: { server: "https://127.0.0.1:1" } }];
  const users = [{ name: "a", user: {} }];
  const head = { apiVersion: "v1", kind: "Config", "current-context": "a" };
  writeFileSync(path, JSON.stringify({ ...head, contexts: [context], clusters, users }));
  return path;
}

function memoryOf(pid: number): { resident: number; anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  return { resident: megabytes("VmRSS"), anonymous: megabytes("RssAnon") };
}
