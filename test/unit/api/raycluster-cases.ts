// Table tests of the rules about a RayCluster's spec: a change to a valid cluster, and the first error that it gives.
import { expect } from "chai";
import { type FeatureGates, featureGateNames } from "../../../api/v1/feature-gates.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { type FieldError, validateRayClusterSpec } from "../../../api/v1/validation/raycluster.ts";
import { validCluster, withValue } from "./raycluster-fixtures.ts";

/** Every gate on, so that a case about a feature is not about its gate. */
const allGates = Object.fromEntries(featureGateNames.map((gate) => [gate, true])) as Record<
  keyof FeatureGates,
  boolean
>;

export const head = "spec.headGroupSpec";
export const headPod = `${head}.template.spec`;
export const headEnv = `${headPod}.containers[0].env`;
export const group = "spec.workerGroupSpecs[0]";
export const ft = "spec.gcsFaultToleranceOptions";

export interface Case {
  readonly title: string;
  /** Values to set, by path; undefined removes. */
  readonly set: Readonly<Record<string, unknown>>;
  readonly gates?: Partial<FeatureGates>;
  readonly field: string;
  /** The whole message where it is known from recordings of the reference, else a part of it. */
  readonly message: string | RegExp;
}

export function cluster(set: Readonly<Record<string, unknown>>): RayCluster {
  return Object.entries(set).reduce((object, [path, value]) => withValue(object, path, value), validCluster());
}

export function check({ set, gates }: Pick<Case, "set" | "gates">): FieldError[] {
  return validateRayClusterSpec(cluster(set), { ...allGates, ...gates });
}

export function describeCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const { title: name, field, message, ...given } of cases) {
      it(name, () => {
        const [first] = check(given);
        expect(first?.field).to.equal(field);
        if (typeof message === "string") expect(first?.message).to.equal(message);
        else expect(first?.message).to.match(message);
      });
    }
  });
}

/** Changes that are right, each next to a rule that must not object. */
export function acceptCases(cases: Readonly<Record<string, Pick<Case, "set" | "gates">>>): void {
  for (const [title, given] of Object.entries(cases)) {
    it(title, () => expect(check(given)).to.deep.equal([]));
  }
}

export const autoscaling = { "spec.enableInTreeAutoscaling": true };
export const autoscalerV2 = { ...autoscaling, "spec.autoscalerOptions.version": "v2" };
export const v2ByEnv = { [`${headEnv}[0]`]: { name: "RAY_enable_autoscaler_v2", value: "1" } };
