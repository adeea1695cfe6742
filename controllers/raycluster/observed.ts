// The world as one reconcile of a RayCluster sees it. Everything a decision may look at is in here.

import { RayClusterConditionType } from "../../api/v1/conditions.ts";
import { Label, NodeType } from "../../api/v1/labels.ts";
import type { RayCluster, WorkerGroupSpec } from "../../api/v1/raycluster.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import type { PodView, ServiceView } from "./views.ts";

/** A RayCluster and what exists of it. Only objects whose controller is this very cluster (by UID) are listed. */
export interface ObservedCluster {
  readonly cluster: RayCluster;
  readonly pods: readonly PodView[];
  readonly services: readonly ServiceView[];
  /** Objects that an earlier round of this pass asked for (`needKey` -> object, `null`: does not exist). */
  readonly read: ReadonlyMap<string, KubeObject | null>;
}

/** `ns/name`, as events and log lines name the cluster. */
export function fullName(cluster: RayCluster): string {
  return `${namespaceOf(cluster)}/${cluster.metadata.name}`;
}

export function namespaceOf(cluster: RayCluster): string {
  return cluster.metadata.namespace ?? "default";
}

export function isHead(pod: PodView): boolean {
  return pod.metadata.labels[Label.nodeType] === NodeType.head;
}

export function isWorker(pod: PodView): boolean {
  return pod.metadata.labels[Label.nodeType] === NodeType.worker;
}

/** Not being deleted, neither by us nor by anybody else. */
export function isAlive(pod: PodView): boolean {
  return pod.metadata.deletionTimestamp === undefined;
}

/** Running, and not said to be unready. A pod without a Ready condition passes, as in the reference. */
export function isRunningAndReady(pod: PodView): boolean {
  return pod.phase === "Running" && (pod.ready === undefined || pod.ready.status === "True");
}

/** Hosts of one replica of a group; values below 1 (old objects) mean 1. */
export function hostsOf(group: WorkerGroupSpec): number {
  return Math.max(1, group.numOfHosts ?? 1);
}

/** Where the suspension of the whole cluster stands, by its stored conditions. */
export function suspension(cluster: RayCluster): "none" | "suspending" | "suspended" {
  if (conditionIsTrue(cluster, RayClusterConditionType.suspending)) return "suspending";
  if (conditionIsTrue(cluster, RayClusterConditionType.suspended)) return "suspended";
  return "none";
}

export function conditionIsTrue(cluster: RayCluster, type: string): boolean {
  return cluster.status?.conditions?.some((item) => item.type === type && item.status === "True") ?? false;
}

/**
 * Why a pod can no longer run Ray and has to go, or undefined while it can (raycluster-controller.md 10.10): it ended,
 * or its Ray container did under `restartPolicy: Never` while a sidecar keeps the pod running.
 */
export function unhealthyReason(pod: PodView): string | undefined {
  if (pod.phase === "Failed" || pod.phase === "Succeeded") {
    return `its phase is ${pod.phase} (restartPolicy ${pod.restartPolicy})`;
  }
  if (pod.phase === "Running" && pod.rayTerminated !== undefined && pod.restartPolicy === "Never") {
    return `its Ray container ended: ${pod.rayTerminated}, and restartPolicy is Never`;
  }
  return undefined;
}
