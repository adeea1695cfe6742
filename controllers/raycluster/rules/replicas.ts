// Which pods of a worker group make up a replica, which replica has to go, and which goes first.
import { Label } from "../../../api/v1/labels.ts";
import type { WorkerGroupSpec } from "../../../api/v1/raycluster.ts";
import type { PatchAction } from "../../../src/kube/decision.ts";
import { drawReplicaName } from "../../shared/names.ts";
import { pods } from "../../shared/resources.ts";
import { isRunningAndReady, unhealthyReason } from "../observed.ts";
import type { PodView } from "../views.ts";
import { type RuleContext, Wave } from "./rule.ts";

/** One pod, or the hosts of a multi-host replica. `index` is -1 where the pods carry none. */
export interface Replica {
  readonly index: number;
  readonly pods: readonly PodView[];
}

interface Grouping {
  readonly replicas: Replica[];
  /** Labels that make replicas of pods from before multi-host indexing; the reference would build a second set. */
  readonly adoptions: Omit<PatchAction, "namespace">[];
}

/** Groups the pods of a worker group that are alive into replicas of `hosts` pods. */
export function replicasOf(
  alive: readonly PodView[],
  group: WorkerGroupSpec,
  hosts: number,
  context: RuleContext,
): Grouping {
  if (hosts === 1) return { replicas: alive.map((pod) => ({ index: indexOf(pod), pods: [pod] })), adoptions: [] };
  const named = Map.groupBy(alive, (pod) => pod.metadata.labels[Label.workerGroupReplicaName]);
  const replicas = [...named].flatMap(([name, members]) => (name === undefined ? [] : [replicaOf(members)]));
  return adopt(named.get(undefined) ?? [], replicas, group, hosts, context);
}

function replicaOf(members: readonly PodView[]): Replica {
  return { index: Math.max(...members.map(indexOf)), pods: members };
}

/** Pods without a replica name, in the order of their age, are labelled as replicas; what is left over has to go. */
function adopt(
  unnamed: readonly PodView[],
  replicas: Replica[],
  group: WorkerGroupSpec,
  hosts: number,
  context: RuleContext,
): Grouping {
  const adoptions: Omit<PatchAction, "namespace">[] = [];
  const taken = new Set(replicas.map((replica) => replica.index));
  const oldestFirst = unnamed.toSorted((a, b) => created(a).localeCompare(created(b)));
  let index = 0;
  for (let start = 0; start < oldestFirst.length; start += hosts) {
    const members = oldestFirst.slice(start, start + hosts);
    while (taken.has(index)) index++;
    taken.add(index);
    replicas.push({ index, pods: members });
    if (members.length < hosts) continue;
    const replicaName = drawReplicaName(group.groupName, context.drawSuffix);
    adoptions.push(...members.map((pod, hostIndex) => labelHost(pod, replicaName, index, hostIndex)));
  }
  return { replicas, adoptions };
}

function labelHost(
  pod: PodView,
  replicaName: string,
  index: number,
  hostIndex: number,
): Omit<PatchAction, "namespace"> {
  const labels = {
    [Label.workerGroupReplicaName]: replicaName,
    [Label.workerGroupReplicaIndex]: String(index),
    [Label.replicaHostIndex]: String(hostIndex),
  };
  return {
    verb: "patch",
    type: pods,
    name: pod.metadata.name,
    patch: { metadata: { uid: pod.metadata.uid, labels } },
    wave: Wave.head,
    reason: `${pod.metadata.name} was made before multi-host indexing and becomes host ${hostIndex} of ${replicaName}`,
  };
}

/** Why a replica cannot stay: a host is missing, or can no longer run Ray. */
export function replicaDefect(replica: Replica, hosts: number): string | undefined {
  if (replica.pods.length < hosts) {
    return `its replica has ${replica.pods.length} of ${hosts} hosts`;
  }
  for (const pod of replica.pods) {
    const reason = unhealthyReason(pod);
    if (reason !== undefined)
      return replica.pods.length > 1 ? `${pod.metadata.name} of its replica: ${reason}` : reason;
  }
  return undefined;
}

/** Sorts the replicas that are missed least to the front: not scheduled, not running, not ready, then the youngest. */
export function victimsFirst(a: Replica, b: Replica): number {
  return (
    usefulness(a) - usefulness(b) || Math.max(...b.pods.map(age)) - Math.max(...a.pods.map(age)) || b.index - a.index
  );
}

function usefulness(replica: Replica): number {
  return Math.min(
    ...replica.pods.map((pod) => {
      if (!pod.scheduled) return 0;
      if (pod.phase !== "Running") return 1;
      return isRunningAndReady(pod) ? 3 : 2;
    }),
  );
}

function age(pod: PodView): number {
  return Date.parse(created(pod)) || 0;
}

function created(pod: PodView): string {
  return pod.metadata.creationTimestamp ?? "";
}

function indexOf(pod: PodView): number {
  const label = pod.metadata.labels[Label.workerGroupReplicaIndex];
  return label === undefined ? -1 : Number.parseInt(label, 10);
}
