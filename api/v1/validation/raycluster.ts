// What must be true of a RayCluster beyond its schema (raycluster-controller.md section 4). Pure; the reconciler, the
// webhook, the facade and `ray-operator validate` share these. Lists are in the reference's order: the first error is
// the one that it reports.
import { RayClusterConditionType } from "../conditions.ts";
import type { FeatureGates } from "../feature-gates.ts";
import { Kind, Label, MANAGED_BY_MULTIKUEUE, MANAGED_BY_OPERATOR } from "../labels.ts";
import type { RayCluster, RayClusterSpec } from "../raycluster.ts";
import { autoscalerAdvice, autoscaling } from "./autoscaling.ts";
import { type FieldError, failIf } from "./field-error.ts";
import { gcsFaultTolerance } from "./gcs-fault-tolerance.ts";
import { groupNames, groupNumbers, headGroup, workerGroups } from "./groups.ts";
import { historyServer } from "./history-server.ts";
import { dns1035LabelProblems } from "./kubernetes-names.ts";
import { authentication, networkPolicy, tls } from "./security.ts";
import { type RayClusterLike, type SpecView, viewSpec } from "./spec-view.ts";

export type { FieldError } from "./field-error.ts";
export type { RayClusterLike } from "./spec-view.ts";

/** 63, the longest Service name, without the longest suffix that a derived Service gets (`-serve-svc`). */
const longestName = 53;

/** The name rules (4.2). */
export function validateRayClusterMetadata({ metadata }: Pick<RayCluster, "metadata">): FieldError[] {
  return nameErrors(metadata.name, Kind.rayCluster, longestName);
}

/** The name rules of any kind, with the kind's own limit (objects.md 3.3). */
function nameErrors(name: string, kind: string, longest: number): FieldError[] {
  const problems = dns1035LabelProblems(name);
  return [
    ...failIf(name.length > longest, "metadata.name", `${kind} name should be no more than ${longest} characters`),
    ...failIf(
      problems.length > 0,
      "metadata.name",
      `${kind} name should be a valid DNS1035 label: [${problems.join(" ")}]`,
    ),
  ];
}

/** In the order of 4.3; the last two are ours. */
const specRules: readonly ((view: SpecView) => FieldError[])[] = [
  headGroup,
  workerGroups,
  gcsFaultTolerance,
  autoscaling,
  historyServer,
  authentication,
  networkPolicy,
  tls,
  groupNames,
  groupNumbers,
];

/** Everything that is wrong with a spec (4.3), whatever schema it passed before, if any. */
export function validateRayClusterSpec(cluster: RayClusterLike, gates: FeatureGates): FieldError[] {
  const view = viewSpec(cluster, gates);
  return specRules.flatMap((rule) => rule(view));
}

/** A warning about a valid spec that is unlikely to work as meant (section 7 step 5), or nothing. */
export function adviseRayCluster(cluster: RayClusterLike, gates: FeatureGates): FieldError | undefined {
  return autoscalerAdvice(viewSpec(cluster, gates));
}

/** The rules about `upgradeStrategy` (4.4): clusters of a RayJob or RayService are upgraded by their owner. */
export function validateRayClusterUpgrade({ metadata, spec }: RayCluster): FieldError[] {
  const type: string = spec?.upgradeStrategy?.type ?? "";
  const owner = metadata.labels?.[Label.originatedFromKind];
  const field = "spec.upgradeStrategy.type";
  return [
    ...failIf(
      !["", "Recreate", "None"].includes(type),
      field,
      `Spec.UpgradeStrategy.Type value ${type} is invalid, valid options are Recreate or None`,
    ),
    ...failIf(
      type !== "" && (owner === Kind.rayJob || owner === Kind.rayService),
      field,
      `upgradeStrategy cannot be set when RayCluster is created by ${owner}`,
    ),
  ];
}

/** The rule about the stored status (4.5). */
export function validateRayClusterStatus({ status }: RayCluster): FieldError[] {
  const isTrue = (type: string) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
  return failIf(
    isTrue(RayClusterConditionType.suspending) && isTrue(RayClusterConditionType.suspended),
    "status.conditions",
    `invalid RayCluster State: conditions ${RayClusterConditionType.suspending} and ${RayClusterConditionType.suspended} should not be both true`,
  );
}

/** The twin of the CRD's rule about the value of `managedBy`. */
export function validateManagedBy(spec: Partial<RayClusterSpec> | undefined): FieldError[] {
  const { managedBy } = spec ?? {};
  return failIf(
    managedBy !== undefined && managedBy !== MANAGED_BY_OPERATOR && managedBy !== MANAGED_BY_MULTIKUEUE,
    "spec.managedBy",
    `the managedBy field value must be either '${MANAGED_BY_OPERATOR}' or '${MANAGED_BY_MULTIKUEUE}'`,
  );
}

/**
 * The twins of the CRD's transition rules: what an update may not change. As in the CRD, setting a field that was not
 * set, and removing it, are changes that pass.
 */
export function validateRayClusterUpdate(
  before: Partial<RayClusterSpec> | undefined,
  after: Partial<RayClusterSpec> | undefined,
): FieldError[] {
  return [
    ...failIf(changed(before?.managedBy, after?.managedBy), "spec.managedBy", "the managedBy field is immutable"),
    ...failIf(
      changed(before?.gcsFaultToleranceOptions?.backend, after?.gcsFaultToleranceOptions?.backend),
      "spec.gcsFaultToleranceOptions.backend",
      "gcsFaultToleranceOptions.backend is immutable",
    ),
  ];
}

function changed(before: string | undefined, after: string | undefined): boolean {
  return before !== undefined && after !== undefined && before !== after;
}
