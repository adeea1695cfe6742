// Labels of the objects that belong to a RayCluster (objects.md section 18).
import { APP_NAME, HEAD_GROUP_NAME, Kind, Label, NodeType, OPERATOR_NAME } from "../../api/v1/labels.ts";
import type { RayCluster, WorkerGroupSpec } from "../../api/v1/raycluster.ts";
import { identifier } from "./names.ts";

export type Labels = Record<string, string>;

/** The place of a worker in its group; `replicaName` is set for replicas of more than one host. */
export interface WorkerIndex {
  readonly replicaIndex: number;
  readonly hostIndex: number;
  readonly replicaName?: string;
}

/** Kinds that may have made a RayCluster. */
export type CreatorKind = "RayCluster" | "RayJob" | "RayService";

/** Which kind made this cluster; one that says nothing, or something unknown, was made by a user. */
export function creatorKind(cluster: RayCluster): CreatorKind {
  const kind = cluster.metadata.labels?.[Label.originatedFromKind];
  return kind === Kind.rayJob || kind === Kind.rayService ? kind : Kind.rayCluster;
}

/** Labels that all objects of the operator carry, but for services and network policies. */
export function operatorLabels(cluster: RayCluster): Labels {
  return {
    [Label.cluster]: cluster.metadata.name,
    [Label.appName]: APP_NAME,
    [Label.appCreatedBy]: OPERATOR_NAME,
  };
}

/** Labels of the head pod, without the operator's `defaultPodLabels`. */
export function headPodLabels(cluster: RayCluster): Labels {
  const { headGroupSpec } = cluster.spec;
  return {
    ...podLabels(cluster, NodeType.head, HEAD_GROUP_NAME, {
      ...headGroupSpec.template.metadata?.labels,
      ...headGroupSpec.labels,
    }),
    ...serveLabel(cluster, NodeType.head),
  };
}

/**
 * Labels of a worker pod, without the operator's `defaultPodLabels`. `indexed`: gate RayMultiHostIndexing is on, so
 * every worker tells its replica, and each host of a replica of several hosts its place.
 */
export function workerPodLabels(
  cluster: RayCluster,
  group: WorkerGroupSpec,
  index: WorkerIndex,
  indexed: boolean,
): Labels {
  return {
    ...podLabels(cluster, NodeType.worker, group.groupName, { ...group.template.metadata?.labels, ...group.labels }),
    ...(indexed && indexLabels(index)),
    ...serveLabel(cluster, NodeType.worker),
  };
}

/** Users may change every label but those that tell which pod belongs where. */
function podLabels(cluster: RayCluster, nodeType: "head" | "worker", groupName: string, users: Labels): Labels {
  return {
    [Label.isRayNode]: "yes",
    [Label.identifier]: identifier(cluster.metadata.name, nodeType),
    [Label.appName]: APP_NAME,
    [Label.appCreatedBy]: OPERATOR_NAME,
    ...users,
    [Label.cluster]: cluster.metadata.name,
    [Label.nodeType]: nodeType,
    [Label.group]: groupName,
  };
}

function indexLabels({ replicaIndex, replicaName, hostIndex }: WorkerIndex): Labels {
  return {
    [Label.workerGroupReplicaIndex]: String(replicaIndex),
    ...(replicaName !== undefined && {
      [Label.workerGroupReplicaName]: replicaName,
      [Label.replicaHostIndex]: String(hostIndex),
    }),
  };
}

/** Where a Serve application may get traffic; the RayService controller moves the head's label later. */
function serveLabel(cluster: RayCluster, nodeType: "head" | "worker"): Labels {
  return creatorKind(cluster) === Kind.rayService ? { [Label.serve]: String(nodeType === NodeType.worker) } : {};
}
