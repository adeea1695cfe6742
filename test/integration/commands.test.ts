// The commands as a user types them, from the bundle: what they print, and how they end.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { stringify } from "yaml";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { operatorBundle } from "../support/operator-process.ts";
import { rayCluster } from "./raycluster/support/clusters.ts";
import { useOperator } from "./raycluster/support/test-cluster.ts";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

describe("ray-operator's commands", function () {
  this.timeout(60_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "commands-"));
    operatorBundle();
  });
  after(() => rmSync(folder, { recursive: true }));

  function run(args: readonly string[], input = ""): Promise<Ended> {
    return new Promise((resolve) => {
      const options = { env: { ...process.env, KUBECONFIG: "/nowhere" }, encoding: "utf8" } as const;
      const child = execFile(process.execPath, [operatorBundle(), ...args], options, (error, out, text) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, error: text }),
      );
      child.stdin?.end(input);
    });
  }

  const file = (cluster: RayCluster): string => {
    const path = join(folder, `${cluster.metadata.name}.yaml`);
    writeFileSync(path, stringify(cluster));
    return path;
  };

  const wrong: [string, string[], RegExp][] = [
    ["an unknown command", ["explode"], /^ray-operator: unknown command 'explode'\n$/],
    ["an unknown option", ["plan", "-f", "-", "--dry"], /^ray-operator: unknown option '--dry'\n$/],
    ["a missing file option", ["validate"], /^ray-operator: required option '-f, --filename <file>' not specified\n$/],
    ["an unknown gate", ["render", "-f", "-", "--feature-gates=X=true"], /unrecognized feature gate: X\n$/],
  ];
  for (const [what, args, message] of wrong) {
    it(`says in one line that there is ${what}, and ends with 2`, async () => {
      const { code, out, error } = await run(args, "apiVersion: v1\nkind: List\nitems: []\n");
      expect(error).to.match(message);
      expect([code, out]).to.deep.equal([2, ""]);
    });
  }

  it("print help with examples and end with 0", async () => {
    for (const args of [["--help"], ["help", "plan"], ["run", "--help"], ["local", "--help"]]) {
      const { code, out, error } = await run(args);
      expect([code, error], args.join(" ")).to.deep.equal([0, ""]);
      expect(out).to.match(/Usage: ray-operator/);
    }
  });

  it("check several files and standard input, naming file, object and field of what is wrong", async () => {
    const good = file(rayCluster("good"));
    const bad = stringify(rayCluster("bad", { group: { minReplicas: 5, maxReplicas: 1 } }));
    const { code, out } = await run(["validate", "-f", good, "-f", "-"], bad);
    expect(code).to.equal(1);
    expect(out).to.contain(`${good}: RayCluster good: valid\n`);
    expect(out).to.match(/^-: RayCluster bad: spec\.workerGroupSpecs\[0\]\.\w+: /m);
  });

  describe("plan", () => {
    const running = useOperator();
    const plan = (cluster: RayCluster, ...more: string[]) =>
      run(["plan", "--kubeconfig", running().cluster.local.kubeconfig, ...more, "-f", "-"], stringify(cluster));

    it("says what a new cluster would bring, and changes nothing", async () => {
      const { name } = await running().cluster.namespace("plan");
      const { code, out } = await plan(rayCluster("new", { replicas: 2 }), "-n", name);
      expect(code).to.equal(0);
      expect(out.split("\n")).to.deep.equal([
        `RayCluster ${name}/new would be created`,
        "  + create Service new-head-svc: the cluster has no head service",
        "  + create Pod new-head-*: the cluster has no head",
        "  + create Pod new-small-worker-*: worker group small lacks a replica",
        "  + create Pod new-small-worker-*: worker group small lacks a replica",
        "",
      ]);
      expect(await running().cluster.api.get(`/apis/ray.io/v1/namespaces/${name}/rayclusters`)).to.deep.include({
        items: [],
      });
    });

    it("says of a cluster that runs what a change would bring, with the reason for each pod that goes", async () => {
      const namespace = await running().cluster.namespace("plan");
      await namespace.create(rayCluster("runs", { replicas: 3 }));
      await namespace.settled("runs", 3);
      const same = await plan(rayCluster("runs", { replicas: 3 }), "-n", namespace.name);
      expect(same.out).to.equal(`RayCluster ${namespace.name}/runs stays as it is\n  nothing to do\n`);
      const fewer = await plan(rayCluster("runs", { replicas: 2 }), "-n", namespace.name);
      expect(fewer.out).to.match(
        /would be changed\n {2}- delete Pod runs-small-worker-\w{5}: worker group small has 3/,
      );
      expect(await namespace.pods("runs")).to.have.lengthOf(4);
    });

    it("takes what kubectl get prints, of this cluster and of another one", async () => {
      const namespace = await running().cluster.namespace("plan");
      await namespace.create(rayCluster("old", { replicas: 1 }));
      await namespace.settled("old", 1);
      const list = `/apis/ray.io/v1/namespaces/${namespace.name}/rayclusters`;
      const stored = await running().cluster.api.get(`${list}/old`);
      const printed = stringify({ apiVersion: "v1", kind: "List", items: [stored] });
      expect(await run(["validate", "-f", "-"], printed)).to.deep.include({ code: 0 });
      expect((await plan(stored as RayCluster)).out).to.contain("nothing to do");
      const moved = { ...(stored as RayCluster) };
      moved.metadata = { ...moved.metadata, name: "new" };
      expect((await plan(moved)).out).to.contain(`RayCluster ${namespace.name}/new would be created`);
    });

    it("says why a cluster would be refused", async () => {
      const { name } = await running().cluster.namespace("plan");
      const { out } = await plan(rayCluster("twice", { spec: { workerGroupSpecs: twice() } }), "-n", name);
      expect(out).to.contain("! InvalidRayClusterSpec: ");
    });

    it("says in one line that the namespace is not there, and ends with 1", async () => {
      const { code, out, error } = await plan(rayCluster("lost"), "-n", "nowhere");
      expect([code, out]).to.deep.equal([1, ""]);
      expect(error).to.equal('ray-operator: namespaces "nowhere" not found\n');
    });

    it("says in one line that there is no kubeconfig, and ends with 1", async () => {
      const { code, error } = await run(["plan", "-f", "-"], stringify(rayCluster("lost")));
      expect(code).to.equal(1);
      expect(error).to.equal("ray-operator: KUBECONFIG names no existing file: /nowhere\n");
    });
  });
});

function twice() {
  const groups = rayCluster("x").spec.workerGroupSpecs ?? [];
  return [...groups, ...groups];
}
