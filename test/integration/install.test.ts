// What `kubectl apply -k .` installs: it can be applied plainly, and its rights are enough and no more than that.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { type LocalCluster, startLocalCluster } from "../../src/local/cluster.ts";
import { leaderElectionRules, operatorRules } from "../../tools/config/rules.ts";
import { eventually } from "../support/eventually.ts";
import { type OperatorProcess, startOperator } from "../support/operator-process.ts";

const account = "system:serviceaccount:default:kuberay-operator";
const root = join(import.meta.dirname, "../..");

/** Everything the operator does, reads included. */
const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [{ level: "Metadata", users: [account] }, { level: "None" }],
};

/** Granted, but not for the operator's own use: see the reasons in tools/config/rules.ts. */
const notItsOwn = new Set([
  "pods/resize patch",
  "pods patch",
  "rayclusters patch",
  "rayclusters/finalizers update",
  // After a create or a status write whose answer was lost, or met a newer object.
  "pods get",
  "services get",
  "rayclusters get",
  // Where the API server does not stream lists (before Kubernetes 1.34 as a rule).
  "pods list",
  "services list",
  "rayclusters list",
  // When an event repeats.
  "events patch",
]);

const samples = ["ray-cluster.sample.yaml", "ray-cluster.autoscaler.yaml", "ray-cluster.auth.yaml"];

/** The sample once more, with everything that makes further objects: several hosts a replica, and Serve. */
const multiHost = readFileSync(join(root, "config/samples/ray-cluster.sample.yaml"), "utf8")
  .replace("name: raycluster-sample", 'name: multi-host\n  annotations: { ray.io/enable-serve-service: "true" }')
  .replace("groupName: workers", "groupName: workers\n      numOfHosts: 2");

describe("the installation", function () {
  this.timeout(120_000);
  let cluster: LocalCluster;
  let operator: OperatorProcess | undefined;

  const folder = mkdtempSync(join(tmpdir(), "install-"));

  before(async () => {
    cluster = await startLocalCluster({ stateDir: join(folder, "cluster"), auditPolicy });
  });
  after(async () => {
    await operator?.stop();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const kubectl = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
    const { stdout } = await promisify(execFile)(join(cluster.binDir, "kubectl"), args, { cwd: root, env });
    return stdout;
  };

  it("is applied by a plain `kubectl apply -k .`, and once more without a change", async () => {
    const first = await kubectl("apply", "-k", ".");
    expect(first).to.contain("customresourcedefinition.apiextensions.k8s.io/rayclusters.ray.io created");
    expect(first).to.contain("deployment.apps/kuberay-operator created");
    expect(await kubectl("apply", "-k", "config/default")).to.not.match(/created|configured/);
    await kubectl("wait", "--for=condition=Established", "crd/rayclusters.ray.io", "--timeout=30s");
  });

  it("has a role under which the samples come up, with no call refused", async () => {
    const kubeconfig = await cluster.kubeconfigForServiceAccount("default", "kuberay-operator");
    const flags = ["--enable-leader-election=true", "--leader-election-namespace=default"];
    operator = await startOperator({ kubeconfig, flags, launcher: join(cluster.binDir, "ray-local") }).working();
    const file = join(folder, "multi-host.yaml");
    writeFileSync(file, multiHost);
    for (const sample of samples) await kubectl("apply", "-f", join("config/samples", sample));
    await kubectl("apply", "-f", file);
    await eventually(
      async () => {
        const states = await kubectl("get", "rayclusters", "-o", "jsonpath={.items[*].status.state}");
        expect(states, operator?.tail(12)).to.equal("ready ready ready ready");
      },
      { withinMs: 30_000 },
    );
    // Pods that go.
    const worker = ["-l", "ray.io/cluster=raycluster-sample,ray.io/node-type=worker"];
    await kubectl("patch", "raycluster", "raycluster-sample", "--type=merge", '-p={"spec":{"suspend":true}}');
    await eventually(async () => expect(await kubectl("get", "pods", ...worker, "-o", "name")).to.equal(""));
    expect(calls().filter(({ code }) => code === 403)).to.deep.equal([]);
  });

  it("has a role that grants nothing that went unused, but for what is said with its reason", async () => {
    // Ends the lease by an update and writes the last events.
    await operator?.stop();
    const used = new Set(calls().map(({ resource, verb }) => `${resource} ${verb}`));
    const granted = [...operatorRules, ...leaderElectionRules].flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${resource} ${verb}`)),
    );
    expect(granted.filter((right) => !used.has(right) && !notItsOwn.has(right))).to.deep.equal([]);
    expect([...used].filter((right) => !granted.includes(right) && !right.startsWith("undefined"))).to.deep.equal([]);
  });

  /** What the operator asked of the API server, from its audit log. */
  function calls(): { verb: string; resource: string; code: number }[] {
    return readFileSync(cluster.auditLog, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line))
      .map(({ verb, objectRef, responseStatus }) => ({
        verb,
        resource: objectRef?.resource + (objectRef?.subresource ? `/${objectRef.subresource}` : ""),
        code: responseStatus?.code,
      }));
  }
});
