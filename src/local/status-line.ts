// One line about each Ray object.

import type { KubeObject } from "../kube/types.ts";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** The parts of the statuses of all Ray kinds that a line shows. */
interface RayObject extends KubeObject {
  readonly status?: {
    readonly state?: string;
    readonly reason?: string;
    readonly desiredWorkerReplicas?: number;
    readonly readyWorkerReplicas?: number;
    readonly availableWorkerReplicas?: number;
    readonly head?: { readonly podIP?: string };
    readonly conditions?: readonly Condition[];
    readonly jobDeploymentStatus?: string;
    readonly jobStatus?: string;
    readonly message?: string;
    readonly serviceStatus?: string;
    readonly numServeEndpoints?: number;
    readonly lastScheduleTime?: string;
  };
}

/** Kind, name, state, and what says most about the state: `RayCluster default/a`, `ready`, `2/2 workers ...`. */
export function statusCells(object: KubeObject, dashboard: (podIP: string) => string | undefined): string[] {
  const one = object as RayObject;
  const name = `${one.kind} ${one.metadata.namespace}/${one.metadata.name}`;
  if (one.metadata.deletionTimestamp) return [name, "deleting", ""];
  if (!one.status) return [name, "new", ""];
  switch (one.kind) {
    case "RayCluster":
      return [name, clusterState(one), clusterDetails(one, dashboard)];
    case "RayJob":
      return [name, one.status.jobDeploymentStatus || "new", details(one.status.jobStatus, one.status.message)];
    case "RayService":
      return [name, one.status.serviceStatus || "starting", `${one.status.numServeEndpoints ?? 0} endpoints`];
    default:
      return [name, one.status.lastScheduleTime ? `last run ${one.status.lastScheduleTime}` : "waiting", ""];
  }
}

function clusterState({ status }: RayObject): string {
  return status?.state || "starting";
}

function clusterDetails(cluster: RayObject, dashboard: (podIP: string) => string | undefined): string {
  const { status } = cluster;
  const workers = `${status?.readyWorkerReplicas ?? 0}/${status?.desiredWorkerReplicas ?? 0} workers`;
  if (status?.state === "ready") return details(workers, status.head?.podIP && dashboard(status.head.podIP));
  const trouble = status?.reason || troubleIn(status?.conditions ?? []);
  return details(workers, trouble);
}

/** The condition that says why a cluster is not ready, in words. */
function troubleIn(conditions: readonly Condition[]): string | undefined {
  const failure = conditions.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  const head = conditions.find(({ type, status }) => type === "HeadPodReady" && status !== "True");
  const found = failure ?? head;
  // "Unknown" is the reason of a condition that nothing is known about yet.
  return found && (found.message || (found.reason === "Unknown" ? undefined : found.reason));
}

function details(...parts: readonly (string | undefined)[]): string {
  return parts
    .filter((part) => part)
    .join("  ")
    .replaceAll(/\s*\n\s*/g, " ");
}
