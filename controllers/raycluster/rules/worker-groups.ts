// Every worker group has the replicas it should have (raycluster-controller.md 10.6 to 10.8). A replica is one pod, or
// `numOfHosts` pods that live and die together. All groups are looked at in every pass: one that fails delays no other.

import { RayClusterConditionReason } from "../../../api/v1/conditions.ts";
import { Label } from "../../../api/v1/labels.ts";
import type { WorkerGroupSpec } from "../../../api/v1/raycluster.ts";
import type { Action, Decision } from "../../../src/kube/decision.ts";
import { drawReplicaName, drawWorkerPodName } from "../../shared/names.ts";
import { desiredReplicas } from "../../shared/replicas.ts";
import { pods } from "../../shared/resources.ts";
import { buildWorkerPod } from "../objects/worker-pod.ts";
import { fullName, hostsOf, isAlive, isWorker, namespaceOf, type ObservedCluster } from "../observed.ts";
import type { PodView } from "../views.ts";
import { type Replica, replicaDefect, replicasOf, victimsFirst } from "./replicas.ts";
import { deletePod, normal, type RuleContext, stableMessage, Wave, warning } from "./rule.ts";

/**
 * Pods that one pass may create: `replicas` may ask for two thousand million, and one cluster's mistake must not take the
 * operator's memory. The pods of a pass bring the next one about.
 */
const MOST_CREATES = 1_000;

export function workerGroups(seen: ObservedCluster, context: RuleContext): Partial<Decision> {
  const groups = seen.cluster.spec.workerGroupSpecs ?? [];
  const room: Room = { pods: MOST_CREATES };
  const workers = Map.groupBy(
    seen.pods.filter(isWorker).filter(isAlive),
    (pod) => pod.metadata.labels[Label.group] ?? "",
  );
  const actions = groups.flatMap((group) =>
    workerGroup(seen, group, workers.get(group.groupName) ?? [], room, context),
  );
  const known = new Set(groups.map((group) => group.groupName));
  for (const [name, left] of workers) {
    if (!known.has(name))
      actions.push(...left.map((pod) => deleteWorker(seen, pod, `worker group ${name} is gone from the spec`)));
  }
  return { actions };
}

function workerGroup(
  seen: ObservedCluster,
  group: WorkerGroupSpec,
  alive: readonly PodView[],
  room: Room,
  context: RuleContext,
): Action[] {
  if (group.suspend === true) return suspendGroup(seen, group, alive);
  const multiHost = hostsOf(group) > 1 && context.settings.featureGates.RayMultiHostIndexing;
  const hosts = multiHost ? hostsOf(group) : 1;
  const wanted = desiredReplicas(group) * (hostsOf(group) / hosts);
  const { replicas, adoptions } = replicasOf(alive, group, hosts, context);
  const named = new Set(group.scaleStrategy?.workersToDelete ?? []);
  const reasonToGo = (replica: Replica) => replicaDefect(replica, hosts) ?? namedForDeletion(replica, named);

  const going = replicas.filter((replica) => reasonToGo(replica) !== undefined);
  const staying = replicas.filter((replica) => reasonToGo(replica) === undefined);
  const actions: Action[] = [
    ...adoptions.map((adoption) => ({ ...adoption, namespace: namespaceOf(seen.cluster) })),
    ...going.flatMap((replica) => deleteReplica(seen, replica, reasonToGo(replica) ?? "")),
  ];
  if (staying.length > wanted && mayChooseVictims(seen, context)) {
    const surplus = staying.toSorted(victimsFirst).slice(0, staying.length - wanted);
    const reason = `worker group ${group.groupName} has ${staying.length} replicas and should have ${wanted}`;
    actions.push(...surplus.flatMap((replica) => deleteReplica(seen, replica, reason)));
  }
  actions.push(...createReplicas(seen, group, { staying, wanted, hosts, multiHost }, room, context));
  return actions;
}

function suspendGroup(seen: ObservedCluster, group: WorkerGroupSpec, alive: readonly PodView[]): Action[] {
  const note = `Deleted all pods for suspended worker group ${group.groupName} in RayCluster ${fullName(seen.cluster)}`;
  return alive.map((pod) => deleteWorker(seen, pod, `worker group ${group.groupName} is suspended`, note));
}

function namedForDeletion(replica: Replica, named: ReadonlySet<string>): string | undefined {
  const pod = replica.pods.find((host) => named.has(host.metadata.name));
  return pod && `scaleStrategy.workersToDelete names ${pod.metadata.name}`;
}

/** Under autoscaling only the autoscaler chooses who goes: an arbitrary victim may hold actors or objects. */
function mayChooseVictims({ cluster }: ObservedCluster, { settings }: RuleContext): boolean {
  return cluster.spec.enableInTreeAutoscaling !== true || settings.enableRandomPodDelete;
}

/** What is left of the pods that a pass may create. */
interface Room {
  pods: number;
}

interface Plan {
  readonly staying: readonly Replica[];
  readonly wanted: number;
  readonly hosts: number;
  readonly multiHost: boolean;
}

function createReplicas(
  seen: ObservedCluster,
  group: WorkerGroupSpec,
  plan: Plan,
  room: Room,
  context: RuleContext,
): Action[] {
  const taken = new Set(plan.staying.map((replica) => replica.index));
  const actions: Action[] = [];
  let index = 0;
  for (let missing = plan.wanted - plan.staying.length; missing > 0 && room.pods > 0; missing--) {
    room.pods -= plan.hosts;
    while (taken.has(index)) index++;
    taken.add(index);
    const replica = plan.multiHost ? { replicaName: drawReplicaName(group.groupName, context.drawSuffix) } : {};
    for (let hostIndex = 0; hostIndex < plan.hosts; hostIndex++) {
      actions.push(createWorker(seen, group, { replicaIndex: index, hostIndex, ...replica }, context));
    }
  }
  return actions;
}

interface Place {
  readonly replicaIndex: number;
  readonly hostIndex: number;
  readonly replicaName?: string;
}

function createWorker(
  seen: ObservedCluster,
  group: WorkerGroupSpec,
  place: Place,
  { drawSuffix, settings }: RuleContext,
): Action {
  const name = drawWorkerPodName(seen.cluster, group.groupName, drawSuffix);
  const pod = buildWorkerPod(seen.cluster, group, settings, { name, ...place });
  return {
    verb: "create",
    type: pods,
    object: pod,
    wave: Wave.workers,
    batch: `workers of ${group.groupName}`,
    reason: `worker group ${group.groupName} lacks a replica`,
    failureTag: RayClusterConditionReason.failedCreateWorkerPod,
    onSuccess: normal(
      "CreatedWorkerPod",
      "Create",
      `Created worker Pod ${pod.metadata.namespace}/${pod.metadata.name}`,
    ),
    onFailure: (message) =>
      warning(
        "FailedToCreateWorkerPod",
        "Create",
        `Failed to create worker Pod for the cluster ${fullName(seen.cluster)}, ${stableMessage(message, pod)}`,
      ),
  };
}

function deleteReplica(seen: ObservedCluster, replica: Replica, reason: string): Action[] {
  return replica.pods.map((pod) => deleteWorker(seen, pod, reason));
}

function deleteWorker(seen: ObservedCluster, pod: PodView, reason: string, note?: string): Action {
  const tag = RayClusterConditionReason.failedDeleteWorkerPod;
  return deletePod(seen, pod, {
    kind: "WorkerPod",
    tag,
    reason,
    note: note ?? `Deleted Pod ${namespaceOf(seen.cluster)}/${pod.metadata.name}`,
  });
}
