import { Writable } from "node:stream";
import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { defaultSettings } from "../../../controllers/shared/settings.ts";
import { printCrds } from "../../../src/cli/crds.ts";
import { UserError } from "../../../src/cli/errors.ts";
import { parseManifests, toYaml } from "../../../src/cli/manifests.ts";
import { describePlan } from "../../../src/cli/plan.ts";
import { clusterOf, gatesOf } from "../../../src/cli/ray-manifests.ts";
import { renderCluster } from "../../../src/cli/render.ts";
import { painter } from "../../../src/cli/terminal.ts";
import { errorsOf } from "../../../src/cli/validate.ts";

class Sink extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

const sample = `
apiVersion: ray.io/v1
kind: RayCluster
metadata: { name: demo }
spec:
  headGroupSpec:
    rayStartParams: {}
    template: { spec: { containers: [{ name: ray-head, image: "rayproject/ray:2.52.0" }] } }
  workerGroupSpecs:
    - groupName: small
      replicas: 2
      rayStartParams: {}
      template: { spec: { containers: [{ name: ray-worker, image: "rayproject/ray:2.52.0" }] } }
`;
const manifest = (text = sample) => parseManifests(text, "demo.yaml")[0]!;
interface Rendered {
  kind: string;
  metadata: { name: string; namespace: string; ownerReferences?: unknown };
}
const rendered = (text = sample) => renderCluster(clusterOf(manifest(text)), defaultSettings()) as Rendered[];

describe("manifests", () => {
  it("may hold several documents, empty ones and lists", () => {
    const text = `${sample}---\n# nothing\n---\n${JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "b" } }],
    })}`;
    expect(parseManifests(text, "x").map(({ kind, name }) => `${kind} ${name}`)).to.deep.equal([
      "RayCluster demo",
      "ConfigMap b/a",
    ]);
  });

  it("are read as kubectl reads them: octal modes and YAML 1.1 booleans, but no dates and no hours", () => {
    const text = "{apiVersion: v1, kind: X, mode: 0777, on: yes, at: 12:30:45, day: 2001-01-01, port: 8265:8265}";
    const object = parseManifests(text, "x")[0]?.object as Record<string, unknown>;
    const { mode, true: on, at, day, port } = object;
    expect([mode, on, at, day, port]).to.deep.equal([511, true, "12:30:45", "2001-01-01", "8265:8265"]);
  });

  it("are refused in one line when they are no YAML or no objects", () => {
    expect(() => parseManifests("a: [", "x.yaml")).to.throw(UserError, /^x\.yaml: [^\n]*$/);
    expect(() => parseManifests("a: 1\n---\nb: 2", "x.yaml")).to.throw(
      UserError,
      "x.yaml: document 1 is no Kubernetes",
    );
  });

  it("are written so that readers of YAML 1.1 take words for words", () => {
    const text = toYaml([{ env: [{ value: "on" }, { value: "012" }, { value: "1e3" }, { value: "true" }] }]);
    expect(text).to.contain('"on"').and.to.contain('"012"').and.to.contain('"1e3"').and.to.contain('"true"');
  });
});

describe("ray-operator validate", () => {
  const errors = (change: (cluster: RayCluster) => void, gates = "") => {
    const object = parse(sample) as RayCluster;
    change(object);
    return errorsOf(manifest(JSON.stringify(object)), gatesOf(gates), "refuse").map(({ field }) => field);
  };

  it("finds nothing wrong with a good cluster", () => {
    expect(errors(() => {})).to.deep.equal([]);
  });

  it("names the field of a wrong type, a missing and an unknown field", () => {
    const wrong = errors((cluster) => {
      Object.assign(cluster.spec.workerGroupSpecs![0]!, { replicas: "two", replica: 3, groupName: undefined });
    });
    expect(wrong).to.have.members([
      "spec.workerGroupSpecs[0].replicas",
      "spec.workerGroupSpecs[0].replica",
      "spec.workerGroupSpecs[0].groupName",
    ]);
  });

  it("asks the operator's rules once the form is right", () => {
    const wrong = errors((cluster) => {
      cluster.spec.workerGroupSpecs!.push({ ...cluster.spec.workerGroupSpecs![0]! });
      cluster.metadata.name = "Bad_Name";
    });
    expect(wrong[0]).to.equal("metadata.name");
    expect(wrong).to.have.lengthOf.at.least(2);
  });

  it("obeys feature gates", () => {
    const withPolicy = (cluster: RayCluster) => Object.assign(cluster.spec, { networkPolicy: { mode: "DenyAll" } });
    expect(errors(withPolicy)).to.have.lengthOf(1);
    expect(errors(withPolicy, "RayClusterNetworkPolicy=true")).to.deep.equal([]);
  });
});

describe("ray-operator render", () => {
  it("gives the head service, the head and the workers in the order of their creation", () => {
    expect(rendered().map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).to.deep.equal([
      "Service default/demo-head-svc",
      "Pod default/demo-head-bbbbb",
      "Pod default/demo-small-worker-bbbbc",
      "Pod default/demo-small-worker-bbbbd",
    ]);
  });

  it("gives the same text every time, without owners that do not exist", () => {
    expect(toYaml(rendered())).to.equal(toYaml(rendered()));
    for (const { metadata } of rendered()) expect(metadata).to.not.have.property("ownerReferences");
  });

  it("gives the autoscaler's account, role and binding too", () => {
    const kinds = rendered(sample.replace("spec:\n  head", "spec:\n  enableInTreeAutoscaling: true\n  head")).map(
      ({ kind }) => kind,
    );
    expect(kinds).to.include.members(["ServiceAccount", "Role", "RoleBinding"]);
  });

  it("takes a service account that the user named for present", () => {
    const text = sample
      .replace("spec:\n  head", "spec:\n  enableInTreeAutoscaling: true\n  head")
      .replace(
        "{ spec: { containers: [{ name: ray-head",
        "{ spec: { serviceAccountName: mine, containers: [{ name: ray-head",
      );
    const kinds = rendered(text).map(({ kind }) => kind);
    expect(kinds).to.include("Role").and.not.to.include("ServiceAccount");
  });

  it("says why it gives nothing", () => {
    const text = sample.replace("name: demo", `name: ${"x".repeat(60)}`);
    expect(() => rendered(text)).to.throw(UserError, "RayCluster name should be no more than");
  });
});

describe("ray-operator plan", () => {
  const plain = painter(new Sink());

  it("prints one line an action with its reason, and names that are yet to be drawn by their prefix", () => {
    const cluster = clusterOf(manifest());
    const reason = "the group has 1 of 2 replicas";
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "demo-x", generateName: "demo-" } };
    const type = { apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true };
    const text = describePlan(
      {
        cluster,
        manifest: "change",
        decision: {
          actions: [
            { verb: "create", wave: 0, reason, type, object: pod },
            { verb: "delete", wave: 0, reason: "it ended", type, namespace: "default", name: "old", uid: "u" },
          ],
        },
      },
      plain,
    );
    expect(text.split("\n")).to.deep.equal([
      "RayCluster default/demo would be changed",
      "  + create Pod demo-*: the group has 1 of 2 replicas",
      "  - delete Pod old: it ended",
      "",
    ]);
  });

  it("says so when there is nothing to do", () => {
    const text = describePlan({ cluster: clusterOf(manifest()), manifest: "keep", decision: { actions: [] } }, plain);
    expect(text).to.equal("RayCluster default/demo stays as it is\n  nothing to do\n");
  });
});

describe("ray-operator crds", () => {
  it("prints CustomResourceDefinitions as YAML", () => {
    const sink = new Sink();
    printCrds(sink);
    const names = parseAllDocuments(sink.text).map((document) => document.toJS().metadata.name);
    expect(names).to.include("rayclusters.ray.io");
  });
});

describe("colours", () => {
  it("are for terminals that want them", () => {
    const terminal = Object.assign(new Sink(), { isTTY: true });
    expect(painter(terminal, {})("red", "x")).to.equal("\u001b[31mx\u001b[0m");
    expect(painter(terminal, { NO_COLOR: "1" })("red", "x")).to.equal("x");
    expect(painter(new Sink(), {})("red", "x")).to.equal("x");
  });
});
