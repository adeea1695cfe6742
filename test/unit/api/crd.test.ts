import { expect } from "chai";
import { crdManifests, readCrds } from "../../../api/v1/crds.ts";
import { customResourceDefinitions, largestAppliedObject } from "../../../tools/generate-crds.ts";
import type { JsonSchema } from "../../../tools/structural-schema.ts";

const [rayCluster] = customResourceDefinitions();
const [v1, v1alpha1] = (rayCluster?.spec.versions ?? []).map((version) => version.schema.openAPIV3Schema);

describe("the CRD of RayCluster", () => {
  it("fits into the annotation of kubectl apply", () => {
    expect(Buffer.byteLength(JSON.stringify(rayCluster))).to.be.below(largestAppliedObject);
  });

  it("describes every field of ours, in both versions", () => {
    expect(undescribed(v1, "")).to.deep.equal([]);
    expect(undescribed(v1alpha1, "")).to.deep.equal([]);
  });

  it("describes no field inside pod templates", () => {
    const template = fieldAt(v1, "spec.headGroupSpec.template");
    expect(JSON.stringify(template?.properties)).to.not.include('"description":"');
  });

  it("keeps of embedded metadata what a user can mean by it", () => {
    const metadata = fieldAt(v1, "spec.headGroupSpec.template.metadata");
    expect(Object.keys(metadata?.properties ?? {})).to.have.members([
      "annotations",
      "finalizers",
      "labels",
      "name",
      "namespace",
    ]);
  });

  it("keeps the list keys and defaults of Kubernetes' own types", () => {
    const container = fieldAt(v1, "spec.headGroupSpec.template.spec.containers");
    expect(container?.["x-kubernetes-list-map-keys"]).to.deep.equal(["name"]);
    const ports = container?.items?.properties?.ports;
    expect(ports?.["x-kubernetes-list-map-keys"]).to.deep.equal(["containerPort", "protocol"]);
    expect(ports?.items?.properties?.protocol?.default).to.equal("TCP");
    const key = container?.items?.properties?.env?.items?.properties?.valueFrom?.properties?.configMapKeyRef;
    expect(key?.properties?.name?.default).to.equal("");
  });

  it("lets v1alpha1 carry the newer fields of v1 without describing them", () => {
    expect(fieldAt(v1alpha1, "spec.authOptions")).to.equal(undefined);
    expect(fieldAt(v1alpha1, "spec")?.["x-kubernetes-preserve-unknown-fields"]).to.equal(true);
    expect(fieldAt(v1alpha1, "spec.headGroupSpec")?.required).to.have.members(["template", "rayStartParams"]);
    expect(fieldAt(v1, "spec.headGroupSpec")?.required).to.deep.equal(["template"]);
  });

  it("reaches the program as it was generated", () => {
    expect(readCrds()).to.deep.equal(JSON.parse(JSON.stringify(customResourceDefinitions())));
    expect(crdManifests().map((text) => JSON.parse(text).metadata.name)).to.deep.equal(["rayclusters.ray.io"]);
  });
});

function fieldAt(schema: JsonSchema | undefined, path: string): JsonSchema | undefined {
  return path.split(".").reduce((parent, name) => (parent?.items ?? parent)?.properties?.[name], schema);
}

/** Fields without a description, down to Kubernetes' own types, which have none. */
function undescribed(schema: JsonSchema | undefined, path: string): string[] {
  return Object.entries(schema?.properties ?? {}).flatMap(([name, field]) => {
    const at = path === "" ? name : `${path}.${name}`;
    if (at === "metadata") return [];
    if (field.description === undefined || field.description.length < 10) return [at];
    return isKubernetesType(name) ? [] : undescribed(field.items ?? field, at);
  });
}

function isKubernetesType(field: string): boolean {
  const fields = ["template", "headService", "resources", "securityContext", "env", "envFrom", "volumeMounts"];
  return [...fields, "valueFrom", "tls", "ingressRules", "egressRules"].includes(field);
}
