// At rest there is exactly one head (raycluster-controller.md 10.5).

import { RayClusterConditionReason, RayClusterConditionType } from "../../../api/v1/conditions.ts";
import { Annotation } from "../../../api/v1/labels.ts";
import type { Action, Decision } from "../../../src/kube/decision.ts";
import { drawHeadPodName } from "../../shared/names.ts";
import { pods } from "../../shared/resources.ts";
import { buildHeadPod } from "../objects/head-pod.ts";
import {
  conditionIsTrue,
  isAlive,
  isHead,
  isRunningAndReady,
  namespaceOf,
  type ObservedCluster,
  unhealthyReason,
} from "../observed.ts";
import type { PodView } from "../views.ts";
import { deletePod, displayName, normal, type RuleContext, stableMessage, Wave, warning } from "./rule.ts";

/**
 * Creates the head, replaces one that can no longer run Ray, and removes a second one. A head that is still going is
 * waited for: two heads would answer under one service and write to one store.
 */
export function head(seen: ObservedCluster, context: RuleContext): Partial<Decision> {
  const heads = seen.pods.filter(isHead);
  const alive = heads.filter(isAlive);
  const unhealthy = alive.filter((pod) => unhealthyReason(pod) !== undefined);
  const healthy = alive.filter((pod) => unhealthyReason(pod) === undefined);
  const surplus = healthy.toSorted(keepFirst).slice(1);
  const deletions = [
    ...unhealthy.map((pod) => deleteHead(seen, pod, `${unhealthyReason(pod)}`)),
    ...surplus.map((pod) => deleteHead(seen, pod, "the cluster has another head")),
  ];
  const create = heads.length === 0 && mayCreateHead(seen);
  return { actions: create ? [createHead(seen, context)] : deletions };
}

/** A cluster of a sidecar-mode RayJob, once provisioned, gets no second head: it could not go on with the job. */
export function mayCreateHead({ cluster }: ObservedCluster): boolean {
  const refused = cluster.metadata.annotations?.[Annotation.disableProvisionedHeadRestart] === "true";
  return !(refused && conditionIsTrue(cluster, RayClusterConditionType.provisioned));
}

/** The one that serves comes before one that never became ready, then the older one. */
function keepFirst(a: PodView, b: PodView): number {
  const byReadiness = Number(isRunningAndReady(b)) - Number(isRunningAndReady(a));
  const age = (pod: PodView) => pod.metadata.creationTimestamp ?? "";
  return byReadiness || age(a).localeCompare(age(b)) || a.metadata.name.localeCompare(b.metadata.name);
}

function deleteHead(seen: ObservedCluster, pod: PodView, cause: string): Action {
  const name = `${namespaceOf(seen.cluster)}/${pod.metadata.name}`;
  return deletePod(seen, pod, {
    kind: "HeadPod",
    tag: RayClusterConditionReason.failedDeleteHeadPod,
    reason: cause,
    note: `Deleted head Pod ${name}: ${cause}`,
  });
}

function createHead(seen: ObservedCluster, { drawSuffix, settings }: RuleContext): Action {
  const name = drawHeadPodName(seen.cluster, settings, drawSuffix);
  const pod = buildHeadPod(seen.cluster, settings, { name });
  return {
    verb: "create",
    type: pods,
    object: pod,
    wave: Wave.head,
    reason: "the cluster has no head",
    failureTag: RayClusterConditionReason.failedCreateHeadPod,
    onSuccess: normal("CreatedHeadPod", "Create", `Created head Pod ${pod.metadata.namespace}/${pod.metadata.name}`),
    onFailure: (message) =>
      warning(
        "FailedToCreateHeadPod",
        "Create",
        `Failed to create head Pod ${displayName(pod)}, ${stableMessage(message, pod)}`,
      ),
  };
}
