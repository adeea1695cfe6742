// What to do about a RayCluster: a pure function of what is seen (raycluster-controller.md section 7).
import { RayClusterConditionType } from "../../api/v1/conditions.ts";
import { MANAGED_BY_OPERATOR } from "../../api/v1/labels.ts";
import {
  adviseRayCluster,
  type FieldError,
  validateRayClusterMetadata,
  validateRayClusterSpec,
  validateRayClusterStatus,
  validateRayClusterUpgrade,
} from "../../api/v1/validation/raycluster.ts";
import type { Decision } from "../../src/kube/decision.ts";
import { fullName, type ObservedCluster } from "./observed.ts";
import { authSecret } from "./rules/auth-secret.ts";
import { autoscalerRbac } from "./rules/autoscaler-rbac.ts";
import { head } from "./rules/head.ts";
import { type Rule, type RuleContext, warning } from "./rules/rule.ts";
import { headlessService, headService, serveService } from "./rules/services.ts";
import { suspended } from "./rules/suspend.ts";
import { workerGroups } from "./rules/worker-groups.ts";

/** In the reference's order, which is the order of the events. */
const dependencies: readonly Rule[] = [advice, autoscalerRbac, authSecret, headService, headlessService, serveService];

export function decide(seen: ObservedCluster, context: RuleContext): Decision {
  const { requeueSeconds } = context.settings;
  const steady = requeueSeconds > 0 ? { requeueAfterMs: requeueSeconds * 1000 } : {};
  const stop = foreign(seen) ?? deletion(seen) ?? invalid(seen, context);
  return stop ?? { ...steady, ...merge([...dependencies, podRules].map((rule) => rule(seen, context))) };
}

/** Another controller's object (Kueue's MultiKueue): nothing of it is touched, not even on deletion. */
function foreign({ cluster }: ObservedCluster): Decision | undefined {
  const { managedBy } = cluster.spec ?? {};
  if (managedBy === undefined || managedBy === MANAGED_BY_OPERATOR) return undefined;
  return { actions: [], ignore: `spec.managedBy gives it to ${managedBy || "nobody"}` };
}

/** Before validation, so that an object that became invalid can still go. */
function deletion({ cluster }: ObservedCluster): Decision | undefined {
  if (cluster.metadata.deletionTimestamp === undefined) return undefined;
  return { actions: [], ignore: "it is being deleted; the garbage collector removes what it owns" };
}

/** What runs stays as it is until the object is valid again. Told once: a restart does not repeat it. */
function invalid(seen: ObservedCluster, context: RuleContext): Decision | undefined {
  const problem = problemOf(seen, context);
  if (!problem) return undefined;
  const events = isTold(seen, problem) ? [] : [warning(problem.reason, "Validate", problem.note)];
  return { actions: [], events };
}

function isTold({ cluster }: ObservedCluster, { reason, error }: Problem): boolean {
  const told = cluster.status?.conditions?.find((condition) => condition.type === RayClusterConditionType.reconciled);
  return told?.reason === reason && told.message === error.message;
}

/** Why a cluster is refused: the reason and note of its event. */
export interface Problem {
  readonly reason: "InvalidRayClusterMetadata" | "InvalidRayClusterSpec" | "InvalidRayClusterStatus";
  readonly note: string;
  readonly error: FieldError;
}

/** The first thing that is wrong with a cluster, or undefined if it can be reconciled. */
export function problemOf({ cluster }: ObservedCluster, { settings }: RuleContext): Problem | undefined {
  const checks = [
    { what: "metadata", reason: "InvalidRayClusterMetadata", find: () => validateRayClusterMetadata(cluster) },
    {
      what: "spec",
      reason: "InvalidRayClusterSpec",
      find: () => validateRayClusterSpec(cluster, settings.featureGates),
    },
    { what: "spec", reason: "InvalidRayClusterSpec", find: () => validateRayClusterUpgrade(cluster) },
    { what: "status", reason: "InvalidRayClusterStatus", find: () => validateRayClusterStatus(cluster) },
  ] as const;
  for (const { what, reason, find } of checks) {
    const [error] = find();
    if (error)
      return { reason, error, note: `The RayCluster ${what} is invalid ${fullName(cluster)}: ${error.message}` };
  }
  return undefined;
}

/** A hint at what is valid and unlikely to work as meant; told once for each generation of the object. */
function advice({ cluster }: ObservedCluster, { settings }: RuleContext): Partial<Decision> {
  if (cluster.status?.observedGeneration === cluster.metadata.generation) return {};
  const hint = adviseRayCluster(cluster, settings.featureGates);
  if (!hint) return {};
  const note = `The RayCluster spec is invalid ${fullName(cluster)}: ${hint.message}`;
  return { events: [warning("InvalidRayClusterSpec", "Validate", note)] };
}

function podRules(seen: ObservedCluster, context: RuleContext): Partial<Decision> {
  return suspended(seen, context) ?? merge([head(seen, context), workerGroups(seen, context)]);
}

function merge(parts: readonly Partial<Decision>[]): Decision {
  const failure = parts.find((part) => part.failure !== undefined)?.failure;
  const requeues = parts.flatMap((part) => part.requeueAfterMs ?? []);
  return {
    // As in the reference, what follows a failed dependency waits until it is mended.
    actions: failure === undefined ? parts.flatMap((part) => part.actions ?? []) : [],
    events: parts.flatMap((part) => part.events ?? []),
    needs: parts.flatMap((part) => part.needs ?? []),
    ...(failure !== undefined && { failure }),
    ...(requeues.length > 0 && { requeueAfterMs: Math.min(...requeues) }),
  };
}
