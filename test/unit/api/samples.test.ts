import { expect } from "chai";
import { type FeatureGates, featureGateNames } from "../../../api/v1/feature-gates.ts";
import {
  validateRayClusterMetadata,
  validateRayClusterSpec,
  validateRayClusterUpgrade,
} from "../../../api/v1/validation/raycluster.ts";
import { validateRayClusterSchema, withRayClusterDefaults } from "../../../api/v1/validation/schema.ts";
import { readRecordedComplaints, readSamples, refusedSamples } from "./samples.ts";

const allGates = Object.fromEntries(featureGateNames.map((gate) => [gate, true])) as FeatureGates;

/** Cases that are there to be refused, by the field that is to blame. */
const invalidCases: Readonly<Record<string, string>> = {
  "cases/cluster-auth-old-version.yaml#0": "spec.rayVersion",
  "cases/cluster-auth-token-name.yaml#0": "metadata.name",
  "cases/cluster-bad-name.yaml#0": "metadata.name",
  "cases/cluster-digit-name.yaml#0": "metadata.name",
  "cases/cluster-too-long-name.yaml#0": "metadata.name",
  "cases/cluster-gcs-ft-annotation-off.yaml#0": "metadata.annotations[ray.io/ft-enabled]",
  "cases/cluster-gcs-ft-both-env.yaml#0": "spec.headGroupSpec.template.spec.containers[0].env[0]",
  "cases/cluster-gcs-ft-old-redis-password.yaml#0": "spec.headGroupSpec.rayStartParams.redis-password",
  "cases/cluster-group-names-equal.yaml#0": "spec.workerGroupSpecs[1].groupName",
  "cases/cluster-idle-timeout-v1.yaml#0": "spec.workerGroupSpecs[0].idleTimeoutSeconds",
  "cases/cluster-min-above-max.yaml#0": "spec.workerGroupSpecs[0].minReplicas",
  "cases/cluster-no-containers.yaml#0": "spec.workerGroupSpecs[0].template.spec.containers",
};

describe("the sample RayClusters", () => {
  const samples = readSamples() ?? [];

  for (const { title, cluster } of samples) {
    const refused = refusedSamples[title];
    it(`${title} ${refused === undefined ? "passes" : "does not pass"} the schema, without unknown fields`, () => {
      const fields = validateRayClusterSchema(cluster, { unknownFields: "refuse" }).map(({ field }) => field);
      expect(fields).to.deep.equal(refused === undefined ? [] : [refused]);
    });

    const invalid = invalidCases[title];
    it(`${title} is ${invalid === undefined ? "valid" : `invalid at ${invalid}`} with all gates on`, () => {
      const completed = withRayClusterDefaults(cluster);
      const errors = [
        ...validateRayClusterMetadata(completed),
        ...validateRayClusterSpec(completed, allGates),
        ...validateRayClusterUpgrade(completed),
      ];
      expect(errors.map(({ field }) => field)).to.deep.equal(invalid === undefined ? [] : [invalid]);
    });
  }

  const complaints = Object.entries(readRecordedComplaints());
  for (const [file, said] of complaints) {
    it(`${file} is refused in the words of the reference`, () => {
      const sample = samples.find(({ title }) => title.endsWith(`/${file}#0`));
      expect(sample, file).to.not.equal(undefined);
      if (sample === undefined) return;
      const completed = withRayClusterDefaults(sample.cluster);
      const gates = { ...allGates, RayClusterMTLS: false };
      const [first] = [...validateRayClusterMetadata(completed), ...validateRayClusterSpec(completed, gates)];
      expect(first?.message).to.equal(said);
    });
  }

  it("are refused by the reference in as many ways as were recorded", function () {
    if (samples.length === 0) return this.skip();
    expect(complaints.length).to.be.above(10);
  });
});
