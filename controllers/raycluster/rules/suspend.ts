// Suspension of the whole cluster in two recorded steps (raycluster-controller.md 10.2): once Suspending is in the
// status the deletion runs to its end even if the user changes his mind, so that whoever holds quota for the pods
// never sees half a cluster.
import { RayClusterConditionReason } from "../../../api/v1/conditions.ts";
import type { Decision } from "../../../src/kube/decision.ts";
import { fullName, isAlive, type ObservedCluster, suspension } from "../observed.ts";
import { deletePod, normal, type RuleContext } from "./rule.ts";

/** What suspension makes of the pods in this pass, or undefined where the pods are reconciled as usual. */
export function suspended(seen: ObservedCluster, { settings }: RuleContext): Partial<Decision> | undefined {
  const wanted = seen.cluster.spec.suspend === true;
  if (!settings.featureGates.RayClusterStatusConditions) return wanted ? deleteAllPods(seen) : undefined;
  switch (suspension(seen.cluster)) {
    case "none":
      return wanted ? { requeueAfterMs: 0 } : undefined;
    case "suspending":
      return seen.pods.length > 0 ? deleteAllPods(seen) : { events: [podsDeleted(seen)], requeueAfterMs: 0 };
    case "suspended":
      return wanted ? {} : { requeueAfterMs: 0 };
  }
}

function deleteAllPods(seen: ObservedCluster): Partial<Decision> {
  return {
    actions: seen.pods.filter(isAlive).map((pod) =>
      deletePod(seen, pod, {
        kind: "Pod",
        tag: RayClusterConditionReason.failedDeleteAllPods,
        reason: "the cluster is being suspended",
      }),
    ),
  };
}

/** Told once, when the last pod is gone. */
function podsDeleted(seen: ObservedCluster) {
  return normal("DeletedPod", "Delete", `Deleted Pods for RayCluster ${fullName(seen.cluster)} due to suspension`);
}
