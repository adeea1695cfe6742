// Every key and fixed name that is part of the API, in one place: labels, annotations, finalizers, ports, container,
// volume and environment names. Other programs (kubectl ray, Kueue, the Ray autoscaler, dashboards) rely on them.

/** Group and versions of the API (raycluster-controller.md section 1). */
export const API_GROUP = "ray.io";
export const API_VERSION = "ray.io/v1";

/** Label keys (raycluster-controller.md 5.1, objects.md 18, rayjob.md 2, operator.md 16). */
export const Label = {
  /** Name of the RayCluster that an object belongs to. */
  cluster: "ray.io/cluster",
  /** One of `NodeType`. */
  nodeType: "ray.io/node-type",
  /** Worker group name, or `HEAD_GROUP_NAME`. */
  group: "ray.io/group",
  /** `yes` on every pod that runs Ray. */
  isRayNode: "ray.io/is-ray-node",
  identifier: "ray.io/identifier",
  /** On pods `true`/`false`: may receive Serve traffic; on serve services `<owner>-serve`. */
  serve: "ray.io/serve",
  headlessWorkerService: "ray.io/headless-worker-svc",
  workerGroupReplicaName: "ray.io/worker-group-replica-name",
  workerGroupReplicaIndex: "ray.io/worker-group-replica-index",
  replicaHostIndex: "ray.io/replica-host-index",
  originatedFromName: "ray.io/originated-from-cr-name",
  originatedFromKind: "ray.io/originated-from-crd",
  jobSubmissionMode: "ray.io/job-submission-mode",
  cronJobName: "ray.io/cronjob-name",
  priorityClassName: "ray.io/priority-class-name",
  gangSchedulingEnabled: "ray.io/gang-scheduling-enabled",
  appName: "app.kubernetes.io/name",
  appCreatedBy: "app.kubernetes.io/created-by",
  appComponent: "app.kubernetes.io/component",
  volcanoQueueName: "volcano.sh/queue-name",
  volcanoNetworkTopologyMode: "volcano.sh/network-topology-mode",
  volcanoNetworkTopologyHighestTier: "volcano.sh/network-topology-highest-tier-allowed",
  yunikornAppId: "yunikorn.apache.org/app-id",
  yunikornQueue: "yunikorn.apache.org/queue",
  schedulerPluginsPodGroup: "scheduling.x-k8s.io/pod-group",
  kaiQueue: "kai.scheduler/queue",
} as const;

/** Values of `Label.nodeType`. */
export const NodeType = { head: "head", worker: "worker", redisCleanup: "redis-cleanup" } as const;
export type NodeType = (typeof NodeType)[keyof typeof NodeType];

/** Value of `Label.group` on head pods. */
export const HEAD_GROUP_NAME = "headgroup";
/** Group name under which batch schedulers see the submitter of a RayJob. */
export const SUBMITTER_GROUP_NAME = "submittergroup";
/** Value of `Label.appName` on objects that the operator makes. */
export const APP_NAME = "kuberay";
/** Value of `Label.appCreatedBy` on objects that the operator makes. */
export const OPERATOR_NAME = "kuberay-operator";
/** `spec.managedBy` of objects that this operator reconciles; unset means the same. */
export const MANAGED_BY_OPERATOR = "ray.io/kuberay-operator";
/** `spec.managedBy` of objects that Kueue's MultiKueue runs elsewhere. */
export const MANAGED_BY_MULTIKUEUE = "kueue.x-k8s.io/multikueue";

/** Annotation keys (raycluster-controller.md 5.1, objects.md 1.4 and 18, rayjob.md 2, rayservice.md 4). */
export const Annotation = {
  /** `true` (any case) keeps the user's command of the Ray container. */
  overwriteContainerCommand: "ray.io/overwrite-container-cmd",
  ftEnabled: "ray.io/ft-enabled",
  externalStorageNamespace: "ray.io/external-storage-namespace",
  /** Seconds after which the Redis clean-up is given up. */
  gcsFtDeletionTimeout: "ray.io/gcs-ft-deletion-timeout",
  /** Exactly `true` builds a serve service for a RayCluster of its own. */
  enableServeService: "ray.io/enable-serve-service",
  /** Exactly `true`: no new head once the cluster was provisioned. */
  disableProvisionedHeadRestart: "ray.io/disable-provisioned-head-restart",
  upgradeStrategyRecreateHash: "ray.io/upgrade-strategy-recreate-hash",
  operatorVersion: "ray.io/kuberay-version",
  hashWithoutReplicas: "ray.io/hash-without-replicas-and-workers-to-delete",
  workerGroupCount: "ray.io/num-worker-groups",
  initializingTimeout: "ray.io/initializing-timeout",
  cronJobScheduledTimestamp: "ray.io/cronjob-scheduled-timestamp",
  ingressClass: "kubernetes.io/ingress.class",
  podGroupName: "scheduling.k8s.io/group-name",
  volcanoTaskSpec: "volcano.sh/task-spec",
  yunikornTaskGroups: "yunikorn.apache.org/task-groups",
  yunikornTaskGroupName: "yunikorn.apache.org/task-group-name",
} as const;

/** Finalizers. */
export const Finalizer = {
  gcsFtRedisCleanup: "ray.io/gcs-ft-redis-cleanup-finalizer",
  rayJob: "ray.io/rayjob-finalizer",
  rayService: "ray.io/rayservice-finalizer",
} as const;

/** Kinds of this API; also the values of `Label.originatedFromKind`. */
export const Kind = {
  rayCluster: "RayCluster",
  rayJob: "RayJob",
  rayService: "RayService",
  rayCronJob: "RayCronJob",
} as const;

/** Names of the ports of a head (objects.md 10 and 19.1). */
export const PortName = {
  client: "client",
  gcsServer: "gcs-server",
  dashboard: "dashboard",
  metrics: "metrics",
  serve: "serve",
} as const;

/** Port numbers used where a port of that name is not declared (objects.md 10). */
export const DefaultPort = {
  client: 10001,
  gcsServer: 6379,
  dashboard: 8265,
  metrics: 8080,
  serve: 8000,
  dashboardAgent: 52365,
  collectorEvents: 8084,
} as const;

/** Names of the containers that the operator adds (objects.md 11, 13, 17; rayjob.md 2). */
export const ContainerName = {
  autoscaler: "autoscaler",
  waitGcsReady: "wait-gcs-ready",
  waitForTlsIpSan: "wait-for-tls-ip-san",
  historyCollector: "ray-history-collector",
  jobSubmitter: "ray-job-submitter",
} as const;

/** Names of the volumes that the operator adds (objects.md 9). */
export const VolumeName = {
  sharedMemory: "shared-mem",
  rayLogs: "ray-logs",
  gcsStorage: "gcs-storage",
  rayToken: "ray-token",
  rayTls: "ray-tls",
} as const;

/** Where those volumes are mounted (objects.md 9). */
export const MountPath = {
  sharedMemory: "/dev/shm",
  rayLogs: "/tmp/ray",
  gcsStorage: "/data/gcs",
  rayToken: "/var/run/secrets/ray.io/serviceaccount",
  rayTls: "/etc/ray/tls",
} as const;

/** Key of the token inside the authentication Secret (objects.md 14). */
export const AUTH_TOKEN_SECRET_KEY = "auth_token";

/** Environment variables that the operator sets, reads or reserves in pods; each key is the variable's name. */
export const EnvName = nameMap(
  // The Ray container, in the order of objects.md 8.
  "RAY_enable_autoscaler_v2",
  "RAY_gcs_rpc_server_reconnect_timeout_s",
  "RAY_external_storage_namespace",
  "RAY_REDIS_ADDRESS",
  "REDIS_USERNAME",
  "REDIS_PASSWORD",
  "RAY_gcs_storage",
  "RAY_gcs_storage_path",
  "RAY_AUTH_MODE",
  "RAY_ENABLE_K8S_TOKEN_AUTH",
  "RAY_AUTH_TOKEN",
  "RAY_USE_TLS",
  "RAY_TLS_SERVER_CERT",
  "RAY_TLS_SERVER_KEY",
  "RAY_TLS_CA_CERT",
  "FQ_RAY_IP",
  "RAY_IP",
  "RAY_CLUSTER_NAME",
  "RAY_CLUSTER_NAMESPACE",
  "RAY_CLOUD_INSTANCE_ID",
  "RAY_NODE_TYPE_NAME",
  "KUBERAY_GEN_RAY_START_CMD",
  "RAY_PORT",
  "RAY_timeout_ms_task_wait_for_death_info",
  "RAY_gcs_server_request_timeout_seconds",
  "RAY_SERVE_KV_TIMEOUT_S",
  "RAY_ADDRESS",
  "RAY_USAGE_STATS_KUBERAY_IN_USE",
  "RAY_USAGE_STATS_EXTRA_TAGS",
  "RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE",
  "RAY_enable_ray_event",
  "RAY_enable_core_worker_ray_event_to_aggregator",
  "RAY_DASHBOARD_AGGREGATOR_AGENT_EVENTS_EXPORT_ADDR",
  "RAY_DASHBOARD_AGGREGATOR_AGENT_EXPOSABLE_EVENT_TYPES",
  "RAY_DASHBOARD_AGGREGATOR_AGENT_PUBLISHER_HTTP_ENDPOINT_EXPOSABLE_EVENT_TYPES",
  // The autoscaler (objects.md 13).
  "RAY_HEAD_POD_NAME",
  "KUBERAY_CRD_VER",
  "KUBERAY_GEN_AUTOSCALER_START_CMD",
  // Redis clean-up (objects.md 15.4).
  "RAY_redis_db_connect_retries",
  "RAY_redis_db_connect_wait_milliseconds",
  // The history collector (objects.md 17).
  "POD_IP",
  "RAY_ROLE",
  "OWNER_KIND",
  "OWNER_NAME",
  "EVENTS_PORT",
  "RAY_DASHBOARD_ADDRESS",
  "STORAGE_BACKEND",
  "GCS_BUCKET",
  "S3_REGION",
  "AZURE_STORAGE_AUTH_MODE",
  "AZURE_STORAGE_CONNECTION_STRING",
  "AZURE_STORAGE_ACCOUNT_URL",
  "OSS_BUCKET",
  "OSS_ENDPOINT",
  "OSS_REGION",
  // The submitter of a RayJob (objects.md 23.2).
  "RAY_JOB_SUBMISSION_ID",
);

/** Keys of `rayStartParams` that the operator reads or completes (objects.md 6, 9, 12). */
export const StartParam = {
  block: "block",
  address: "address",
  port: "port",
  numCpus: "num-cpus",
  numGpus: "num-gpus",
  memory: "memory",
  resources: "resources",
  labels: "labels",
  dashboardHost: "dashboard-host",
  dashboardPort: "dashboard-port",
  dashboardAgentListenPort: "dashboard-agent-listen-port",
  metricsExportPort: "metrics-export-port",
  plasmaDirectory: "plasma-directory",
  noMonitor: "no-monitor",
  autoscalingConfig: "autoscaling-config",
  redisUsername: "redis-username",
  redisPassword: "redis-password",
} as const;

function nameMap<const Name extends string>(...names: Name[]): { readonly [Key in Name]: Key } {
  return Object.fromEntries(names.map((name) => [name, name])) as { [Key in Name]: Key };
}
