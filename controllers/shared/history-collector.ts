// The container that hands Ray's events and logs to a history server (objects.md section 17).
import type { Container, EnvVar } from "../../api/v1/kubernetes.ts";
import { ContainerName, DefaultPort, EnvName, Label, NodeType } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { addTokenAuth } from "./authentication.ts";
import { addMissingEnv, appendEnv, fieldEnv } from "./environment.ts";
import type { Settings } from "./settings.ts";

const DEFAULT_RESOURCES = {
  limits: { cpu: "200m", memory: "256Mi" },
  requests: { cpu: "50m", memory: "64Mi" },
};

/** The container, or undefined if the gate is off or the cluster does not ask for it. */
export function historyCollector(
  cluster: RayCluster,
  settings: Settings,
  nodeType: "head" | "worker",
  headHost: string,
): Container | undefined {
  const options = structuredClone(cluster.spec.historyServerOptions?.collectorOptions);
  if (!options || !settings.featureGates.RayClusterHistoryServer) return undefined;
  const container: Container = {
    name: ContainerName.historyCollector,
    ...(options.image !== undefined && { image: options.image }),
    imagePullPolicy: options.imagePullPolicy ?? "IfNotPresent",
    resources: options.resources ?? structuredClone(DEFAULT_RESOURCES),
    env: [...identityEnv(cluster, nodeType), { name: EnvName.FQ_RAY_IP, value: headHost }, ...ownerEnv(cluster)],
  };
  const users = options.env ?? [];
  const usersAddress = users.some((variable) => variable.name === EnvName.RAY_DASHBOARD_ADDRESS);
  if (nodeType === NodeType.head && !usersAddress) {
    addMissingEnv(container, [
      { name: EnvName.RAY_DASHBOARD_ADDRESS, value: `http://localhost:${DefaultPort.dashboard}` },
    ]);
  }
  appendEnv(container, users);
  addTokenAuth(cluster, container);
  return container;
}

function identityEnv(cluster: RayCluster, nodeType: "head" | "worker"): EnvVar[] {
  return [
    fieldEnv(EnvName.POD_IP, "status.podIP"),
    { name: EnvName.RAY_CLUSTER_NAME, value: cluster.metadata.name },
    { name: EnvName.RAY_CLUSTER_NAMESPACE, value: cluster.metadata.namespace ?? "" },
    { name: EnvName.RAY_ROLE, value: nodeType === NodeType.head ? "Head" : "Worker" },
    { name: EnvName.EVENTS_PORT, value: String(DefaultPort.collectorEvents) },
  ];
}

/** Which object made this cluster, where another did. */
function ownerEnv(cluster: RayCluster): EnvVar[] {
  const labels = cluster.metadata.labels ?? {};
  const kind = labels[Label.originatedFromKind];
  const name = labels[Label.originatedFromName];
  return [
    ...(kind ? [{ name: EnvName.OWNER_KIND, value: kind }] : []),
    ...(name ? [{ name: EnvName.OWNER_NAME, value: name }] : []),
  ];
}
