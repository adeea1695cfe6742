import { expect } from "chai";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { validateRayClusterSchema, withRayClusterDefaults } from "../../../api/v1/validation/schema.ts";
import { brokenClusters, validCluster, withValue } from "./raycluster-fixtures.ts";

describe("the schema of a RayCluster", () => {
  it("accepts a cluster that uses it rightly", () => {
    expect(validateRayClusterSchema(validCluster(), { unknownFields: "refuse" })).to.deep.equal([]);
  });

  it("does not ask for a spec, as the CRD does not", () => {
    expect(validateRayClusterSchema(withValue(validCluster(), "spec", undefined))).to.deep.equal([]);
  });

  for (const { title, field, object } of brokenClusters()) {
    it(`refuses ${title} at ${field}`, () => {
      const errors = validateRayClusterSchema(object);
      expect(errors.map((error) => error.field)).to.include(field);
      for (const { message } of errors) expect(message).to.not.equal("");
    });
  }

  it("lists every error, not only the first", () => {
    const cluster = withValue(validCluster(), "spec.workerGroupSpecs[0].replicas", "1");
    const errors = validateRayClusterSchema(withValue(cluster, "spec.rayVersion", 2));
    expect(errors.map(({ field }) => field)).to.have.members(["spec.rayVersion", "spec.workerGroupSpecs[0].replicas"]);
  });

  it("says what is allowed", () => {
    const mode = withValue(validCluster(), "spec.authOptions", { mode: "password" });
    expect(validateRayClusterSchema(mode)[0]?.message).to.equal(
      'Unsupported value: "password": supported values: "disabled", "token"',
    );
    const cpu = withValue(validCluster(), "spec.headGroupSpec.template.spec.containers[0].resources.limits.cpu", "two");
    expect(validateRayClusterSchema(cpu)[0]?.message).to.equal(
      'Invalid value: "two": must be a quantity such as 2, 500m or 4Gi',
    );
  });

  it("writes keys that are no plain word in brackets", () => {
    const labels = { "ray.io/team": 1 } as unknown as Record<string, string>;
    const cluster = withValue(validCluster(), "spec.workerGroupSpecs[0].labels", labels);
    expect(validateRayClusterSchema(cluster)[0]?.field).to.equal("spec.workerGroupSpecs[0].labels[ray.io/team]");
  });

  it("takes nulls for fields that are not there, but not for items of a list", () => {
    expect(validateRayClusterSchema(withValue(validCluster(), "spec.workerGroupSpecs", null))).to.deep.equal([]);
    const item = withValue(validCluster(), "spec.workerGroupSpecs[0]", null);
    expect(validateRayClusterSchema(item).map(({ field }) => field)).to.include("spec.workerGroupSpecs[0]");
  });

  it("tells unknown fields only when asked, null ones too", () => {
    const cluster = withValue(withValue(validCluster(), "spec.headGroupSpecs", {}), "spec.color", null);
    expect(validateRayClusterSchema(cluster)).to.deep.equal([]);
    expect(validateRayClusterSchema(cluster, { unknownFields: "refuse" })).to.have.deep.members([
      { field: "spec.headGroupSpecs", message: "unknown field" },
      { field: "spec.color", message: "unknown field" },
    ]);
  });

  it("leaves the checked object as it was", () => {
    const cluster = withValue(validCluster(), "spec.suspend", null);
    const before = structuredClone(cluster);
    validateRayClusterSchema(cluster, { unknownFields: "refuse" });
    expect(cluster).to.deep.equal(before);
  });
});

describe("the defaults of a RayCluster", () => {
  const sparse = (): RayCluster => ({
    ...validCluster(),
    spec: {
      headGroupSpec: validCluster().spec.headGroupSpec,
      networkPolicy: {},
      workerGroupSpecs: [{ groupName: "g", template: { spec: { containers: [{ name: "ray-worker" }] } } }],
    },
  });

  it("complete a worker group", () => {
    const [group] = withRayClusterDefaults(sparse()).spec.workerGroupSpecs ?? [];
    expect(group).to.include({ replicas: 0, minReplicas: 0, maxReplicas: 2147483647, numOfHosts: 1, priority: 0 });
  });

  it("complete Kubernetes' own types inside templates", () => {
    const { spec } = withRayClusterDefaults(sparse());
    const [container] = spec.headGroupSpec.template.spec?.containers ?? [];
    expect(container?.ports).to.deep.equal([{ containerPort: 6379, name: "gcs-server", protocol: "TCP" }]);
    expect(spec.networkPolicy?.mode).to.equal("DenyAll");
  });

  it("do not touch the original", () => {
    const cluster = sparse();
    withRayClusterDefaults(cluster);
    expect(cluster).to.deep.equal(sparse());
  });
});
