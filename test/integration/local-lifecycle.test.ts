import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { startLocalCluster } from "../../src/local/cluster.ts";
import { until } from "../../src/local/wait.ts";
import {
  createPod,
  getPod,
  hasPodLink,
  isReady,
  isRoot,
  newFolder,
  podThat,
  processesWith,
  remove,
  runScript,
} from "./local-support.ts";

describe("the life of a local cluster", function () {
  this.timeout(180_000);
  const folders: string[] = [];
  const folder = () => {
    const one = newFolder();
    folders.push(one);
    return one;
  };
  after(() => folders.forEach(remove));

  it("starts in under 10 s once the programs are built", async () => {
    const times: number[] = [];
    // The best of three: the machine may be busy with something else.
    while (times.length < 3 && !times.some((ms) => ms < 10_000)) {
      const started = performance.now();
      await using _cluster = await startLocalCluster({ stateDir: folder() });
      times.push(performance.now() - started);
    }
    expect(Math.min(...times)).to.be.below(10_000);
  });

  it("leaves no process, no network and no folder when it is stopped", async () => {
    const stateDir = folder();
    const cluster = await startLocalCluster({ stateDir, simulatedNodes: 1 });
    expect(processesWith(stateDir)).to.have.length.above(3);
    expect(hasPodLink(stateDir)).to.equal(isRoot);
    const pids = cluster.processes.map((one) => one.identity.pid);
    await cluster.stop();
    expect(processesWith(stateDir)).to.deep.equal([]);
    for (const pid of pids) expect(() => process.kill(pid, 0)).to.throw(/ESRCH/);
    await until("the network to go", 5_000, () => !hasPodLink(stateDir));
    expect(() => writeFileSync(join(stateDir, "x"), "")).to.throw(/ENOENT/);
  });

  it("runs beside others, each with its own objects and addresses", async () => {
    const [one, two] = await Promise.all([
      startLocalCluster({ name: "one", stateDir: folder(), simulatedNodes: 1 }),
      startLocalCluster({ name: "two", stateDir: folder(), simulatedNodes: 1 }),
    ]);
    try {
      expect(one.url).to.not.equal(two.url);
      await createPod(one.api, "a");
      await podThat(one.api, "a", isReady);
      expect(await two.api.answers("/api/v1/namespaces/default/pods/a")).to.equal(false);
      if (isRoot) expect(one.ranges.pods).to.not.equal(two.ranges.pods);
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  it("is refused a second time in the same folder, and the first goes on", async () => {
    const stateDir = folder();
    await using cluster = await startLocalCluster({ stateDir, nodes: "none" });
    const second = await startLocalCluster({ stateDir, nodes: "none" }).catch((error: Error) => error);
    expect(second).to.be.instanceOf(Error).with.property("message").that.includes("runs already");
    expect(await cluster.api.answers("/readyz")).to.equal(true);
  });

  it("ends with its owner when that is killed, and goes on with its data at the next start", async () => {
    const stateDir = folder();
    const owner = runScript(`
      import { startLocalCluster } from "./src/local/cluster.ts";
      const cluster = await startLocalCluster({ stateDir: ${JSON.stringify(stateDir)}, simulatedNodes: 1 });
      await cluster.api.request("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "kept" } });
      console.log(cluster.url);
      setInterval(() => {}, 1000);`);
    const url = await owner.nextLine();
    expect(processesWith(stateDir)).to.have.length.above(3);
    owner.kill();
    await until("the processes to end", 5_000, () => processesWith(stateDir).length === 0);
    await until("the network to go", 5_000, () => !hasPodLink(stateDir));

    await using cluster = await startLocalCluster({ stateDir, simulatedNodes: 1 });
    expect(cluster.url).to.equal(url);
    expect(await cluster.api.answers("/api/v1/namespaces/default/configmaps/kept")).to.equal(true);
    await createPod(cluster.api, "a");
    await podThat(cluster.api, "a", isReady);
  });

  it("starts empty when told so, and when its nodes are others than before", async () => {
    const stateDir = folder();
    const first = await startLocalCluster({ stateDir, nodes: "none" });
    await createPod(first.api, "a");
    await first.stop({ keep: true });
    const second = await startLocalCluster({ stateDir, nodes: "none" });
    expect((await getPod(second.api, "a")).metadata.name).to.equal("a");
    await second.stop({ keep: true });
    const third = await startLocalCluster({ stateDir, nodes: "none", fresh: true });
    expect(await third.api.answers("/api/v1/namespaces/default/pods/a")).to.equal(false);
    await createPod(third.api, "b");
    await third.stop({ keep: true });
    await using fourth = await startLocalCluster({ stateDir, nodes: "simulated", simulatedNodes: 1 });
    expect(await fourth.api.answers("/api/v1/namespaces/default/pods/b")).to.equal(false);
  });

  it("says which program failed and why, and leaves nothing running", async () => {
    const stateDir = folder();
    const error = await startLocalCluster({ stateDir, nodes: "none", apiServerFlags: ["--no-such-flag=1"] }).catch(
      (reason: Error) => reason,
    );
    expect(error).to.be.instanceOf(Error);
    expect((error as Error).message)
      .to.match(/^kube-apiserver ended with exit code 1/)
      .and.include("--no-such-flag");
    expect(processesWith(stateDir)).to.deep.equal([]);
  });

  it("tells when one of its programs ends by itself", async () => {
    await using cluster = await startLocalCluster({ stateDir: folder(), nodes: "none" });
    const failed = new Promise<string>((tell) => cluster.onFailure((program) => tell(program.failure().message)));
    const scheduler = cluster.processes.find((one) => one.name === "kube-scheduler");
    process.kill(scheduler?.identity.pid ?? 0, "SIGKILL");
    expect(await failed).to.match(/^kube-scheduler ended with signal SIGKILL/);
  });

  it("stops its start when it is interrupted", async () => {
    const stateDir = folder();
    const interruption = new AbortController();
    const start = startLocalCluster({ stateDir, nodes: "none", signal: interruption.signal });
    await until("etcd to start", 10_000, () => processesWith(stateDir).length > 0);
    interruption.abort(new Error("enough"));
    expect(await start.catch((error: Error) => error.message)).to.equal("enough");
    expect(processesWith(stateDir)).to.deep.equal([]);
  });
});
