import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { cacheFolder } from "../../src/local/paths.ts";
import { until } from "../../src/local/wait.ts";
import { hasPodLink, kubectl, newFolder, processesWith, remove } from "./local-support.ts";

const root = new URL("../..", import.meta.url).pathname;
const program = join(root, "src", "main.ts");

describe("ray-operator local", function () {
  this.timeout(180_000);
  let cache: string;
  let environment: NodeJS.ProcessEnv;

  before(() => {
    // Instances of its own, but the programs that are built already.
    cache = newFolder();
    const programs = join(cacheFolder(), "programs");
    mkdirSync(programs, { recursive: true });
    symlinkSync(programs, join(cache, "programs"));
    environment = { ...process.env, RAY_OPERATOR_CACHE: cache };
  });
  after(() => {
    local("down", "--all");
    remove(cache);
  });

  const local = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, "local", ...args], {
      encoding: "utf8",
      env: environment,
    });
    return { code: status, stdout, stderr };
  };
  const folderOf = (name: string) => join(cache, "instances", name);

  it("explains each command", () => {
    for (const command of ["run", "up", "down", "status", "programs"]) {
      const help = local(command, "--help");
      expect(help.code, command).to.equal(0);
      expect(help.stdout).to.match(new RegExp(`^Usage: ray-operator local ${command} `));
    }
  });

  it("prints a folder with all programs under their usual names", () => {
    const { code, stdout } = local("programs");
    expect(code).to.equal(0);
    const names = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok", "coredns"];
    for (const name of names) expect(existsSync(join(stdout.trim(), name)), name).to.equal(true);
  });

  it("brings a cluster up in the background, shows it, and takes it down with everything it has", async () => {
    const up = local("up", "--name", "test", "--nodes", "simulated", "--simulated-nodes", "2");
    expect(up.code, up.stderr).to.equal(0);
    const kubeconfig = join(folderOf("test"), "kubeconfig");
    expect(up.stdout).to.equal(`export KUBECONFIG=${kubeconfig}\n`);
    const binDir = local("programs").stdout.trim();
    expect(kubectl({ binDir, kubeconfig }, "get", "nodes", "-o", "name").trim().split("\n")).to.have.length(2);

    expect(local("status").stdout).to.match(/^NAME +NODES .*\ntest +simulated +ready +\d+ +\d+ MiB +https:/);
    const [report] = JSON.parse(local("status", "-o", "json").stdout) as { processes: { name: string }[] }[];
    const names = report?.processes.map((one) => one.name);
    expect(names).to.include.members(["etcd", "kube-apiserver", "kwok", "simulated-ray"]);
    expect(local("status", "--name", "test", "-o", "kubeconfig")).to.include({ code: 0, stdout: `${kubeconfig}\n` });

    const again = local("up", "--name", "test");
    expect(again.code).to.equal(1);
    expect(again.stderr).to.match(/^ray-operator: it runs already, as process \d+/);

    expect(local("down", "--name", "test").code).to.equal(0);
    expect(processesWith(folderOf("test"))).to.deep.equal([]);
    expect(existsSync(folderOf("test"))).to.equal(false);
    await until("the network to go", 5_000, () => !hasPodLink(folderOf("test")));
    expect(local("status", "--name", "test").code).to.equal(1);
    expect(local("down", "--name", "test").code).to.equal(0);
  });

  it("refuses a kind of nodes that does not exist, in one line", () => {
    const { code, stderr } = local("up", "--nodes", "paper");
    expect(code).to.equal(2);
    expect(stderr.trim().split("\n")).to.have.length(1);
    expect(stderr).to.include("real, simulated, none");
  });

  describe("run", () => {
    /** Starts `local run` and collects what it prints. */
    const run = (name: string): { child: ChildProcess; text: () => string } => {
      const child = spawn(process.execPath, [program, "local", "run", "--nodes", "simulated", "--name", name], {
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let text = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (part: Buffer) => {
          text += String(part);
        });
      }
      return { child, text: () => text };
    };
    const printed = (text: () => string, what: RegExp, child: ChildProcess) =>
      until(
        `"${what.source}" in\n${text()}`,
        90_000,
        () => what.test(text()),
        () => {
          if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${text()}`);
        },
      );

    it("brings a RayCluster up, says so, and ends with Ctrl-C leaving nothing", async () => {
      const { child, text } = run("test");
      await printed(text, /Ctrl-C ends it/, child);
      const kubeconfig = /export KUBECONFIG=(.*)/.exec(text())?.[1] ?? "";
      const health = /operator health +(\S+)/.exec(text())?.[1] ?? "";
      expect((await fetch(health)).status).to.equal(200);
      const binDir = local("programs").stdout.trim();
      kubectl({ binDir, kubeconfig }, "apply", "-f", join(root, "config", "samples", "ray-cluster.sample.yaml"));
      await printed(text, /RayCluster default\/raycluster-sample +ready +1\/1 workers/, child);
      child.kill("SIGINT");
      expect(await once(child, "exit")).to.deep.equal([0, null]);
      expect(processesWith(folderOf("test"))).to.deep.equal([]);
      expect(existsSync(folderOf("test"))).to.equal(false);
    });

    it("ends with the operator's own words when that fails", async () => {
      const { child, text } = run("failing");
      await printed(text, /Ctrl-C ends it/, child);
      const [operator = 0] = processesWith("user-ray-operator.kubeconfig").filter((pid) =>
        processesWith(folderOf("failing")).includes(pid),
      );
      process.kill(operator, "SIGKILL");
      expect(await once(child, "exit")).to.deep.equal([1, null]);
      expect(text()).to.match(/ray-operator: operator ended with signal SIGKILL/);
      expect(processesWith(folderOf("failing"))).to.deep.equal([]);
    });

    it("ends at once at the second Ctrl-C", async () => {
      const { child, text } = run("hurried");
      await printed(text, /Starting Kubernetes/, child);
      const started = performance.now();
      child.kill("SIGINT");
      await printed(text, /Stopping/, child);
      child.kill("SIGINT");
      await once(child, "exit");
      expect(performance.now() - started).to.be.below(2_000);
      await until("the processes to end", 2_000, () => processesWith(folderOf("hurried")).length === 0);
    });
  });
});
