// Environment variables of the Ray container (objects.md section 8), and how variables are added to a container.
import type { Container, EnvVar } from "../../api/v1/kubernetes.ts";
import { EnvName, Kind, Label, NodeType } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { creatorKind } from "./labels.ts";
import { gcsPort } from "./ray-start.ts";
import type { Settings } from "./settings.ts";

/** Adds variables at the end. KubeRay: also when the user set them, so that the later one, ours, counts. */
export function appendEnv(container: Container, variables: readonly EnvVar[]): void {
  if (variables.length > 0) container.env = [...(container.env ?? []), ...variables];
}

/** Adds those variables whose name the container does not have yet. */
export function addMissingEnv(container: Container, variables: readonly EnvVar[]): void {
  for (const variable of variables) {
    if (!container.env?.some((existing) => existing.name === variable.name)) appendEnv(container, [variable]);
  }
}

/** A variable that the kubelet takes from a field of the pod. */
export function fieldEnv(name: string, fieldPath: string): EnvVar {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

/** Where a worker, and each of its and the head's init containers, finds the head. `RAY_IP` is deprecated. */
export function headAddressEnv(headHost: string): EnvVar[] {
  return [
    { name: EnvName.FQ_RAY_IP, value: headHost },
    { name: EnvName.RAY_IP, value: headHost.split(".", 1)[0] ?? headHost },
  ];
}

export function clusterNameEnv(): EnvVar {
  return fieldEnv(EnvName.RAY_CLUSTER_NAME, `metadata.labels['${Label.cluster}']`);
}

export function clusterNamespaceEnv(): EnvVar {
  return fieldEnv(EnvName.RAY_CLUSTER_NAMESPACE, "metadata.namespace");
}

/** What `addRayEnvironment` needs to know of the pod. */
export interface RayEnvironment {
  readonly nodeType: "head" | "worker";
  readonly headHost: string;
  /** The generated `ray start` command line. */
  readonly rayStart: string;
  /** The pod has the history collector: Ray exports its events to it. */
  readonly collector: boolean;
}

/** Adds rows 14 to 32 of the table to the Ray container. */
export function addRayEnvironment(
  container: Container,
  cluster: RayCluster,
  settings: Settings,
  { nodeType, headHost, rayStart, collector }: RayEnvironment,
): void {
  const port = gcsPort(cluster);
  const isHead = nodeType === NodeType.head;
  if (!isHead) appendEnv(container, headAddressEnv(headHost));
  appendEnv(container, [
    clusterNameEnv(),
    clusterNamespaceEnv(),
    // The autoscaler (v2) takes pod names for instance ids.
    fieldEnv(EnvName.RAY_CLOUD_INSTANCE_ID, "metadata.name"),
    fieldEnv(EnvName.RAY_NODE_TYPE_NAME, `metadata.labels['${Label.group}']`),
    { name: EnvName.KUBERAY_GEN_RAY_START_CMD, value: rayStart },
  ]);
  addMissingEnv(container, [
    { name: EnvName.RAY_PORT, value: port },
    ...(creatorKind(cluster) === Kind.rayService ? serveTimeouts : []),
    { name: EnvName.RAY_ADDRESS, value: `${isHead ? "127.0.0.1" : headHost}:${port}` },
    { name: EnvName.RAY_USAGE_STATS_KUBERAY_IN_USE, value: "1" },
  ]);
  if (isHead) appendEnv(container, [usageTags(cluster, settings)]);
  addMissingEnv(container, [
    { name: EnvName.RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE, value: "1" },
    ...(collector ? eventExport : []),
  ]);
}

/** Serve notices dead actors and a lost GCS sooner than Ray's defaults allow. */
const serveTimeouts: readonly EnvVar[] = [
  { name: EnvName.RAY_timeout_ms_task_wait_for_death_info, value: "0" },
  { name: EnvName.RAY_gcs_server_request_timeout_seconds, value: "5" },
  { name: EnvName.RAY_SERVE_KV_TIMEOUT_S, value: "5" },
];

const EXPORTED_EVENTS = [
  "TASK_DEFINITION_EVENT",
  "TASK_LIFECYCLE_EVENT",
  "ACTOR_TASK_DEFINITION_EVENT",
  "TASK_PROFILE_EVENT",
  "DRIVER_JOB_DEFINITION_EVENT",
  "DRIVER_JOB_LIFECYCLE_EVENT",
  "ACTOR_DEFINITION_EVENT",
  "ACTOR_LIFECYCLE_EVENT",
  "NODE_DEFINITION_EVENT",
  "NODE_LIFECYCLE_EVENT",
].join(",");

const eventExport: readonly EnvVar[] = [
  { name: EnvName.RAY_enable_ray_event, value: "true" },
  { name: EnvName.RAY_enable_core_worker_ray_event_to_aggregator, value: "true" },
  { name: EnvName.RAY_DASHBOARD_AGGREGATOR_AGENT_EVENTS_EXPORT_ADDR, value: "http://localhost:8084/v1/events" },
  { name: EnvName.RAY_DASHBOARD_AGGREGATOR_AGENT_EXPOSABLE_EVENT_TYPES, value: EXPORTED_EVENTS },
  {
    name: EnvName.RAY_DASHBOARD_AGGREGATOR_AGENT_PUBLISHER_HTTP_ENDPOINT_EXPOSABLE_EVENT_TYPES,
    value: EXPORTED_EVENTS,
  },
];

/** What Ray's usage statistics say about the operator. */
function usageTags(cluster: RayCluster, settings: Settings): EnvVar {
  return {
    name: EnvName.RAY_USAGE_STATS_EXTRA_TAGS,
    value: `kuberay_version=${settings.operatorVersion};kuberay_crd=${creatorKind(cluster)}`,
  };
}
