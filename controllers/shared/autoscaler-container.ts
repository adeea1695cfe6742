// Ray's autoscaler as a container beside the head (objects.md section 13).
import type { Container } from "../../api/v1/kubernetes.ts";
import { ContainerName, EnvName } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { addTokenAuth } from "./authentication.ts";
import { shellCommand } from "./command.ts";
import { appendEnv, clusterNameEnv, clusterNamespaceEnv, fieldEnv } from "./environment.ts";
import type { Settings } from "./settings.ts";
import { appendMount } from "./volumes.ts";

/** The kubelet fills in `$(...)`, from variables that stand earlier in the container's list. */
const START_COMMAND =
  "ray kuberay-autoscaler --cluster-name $(RAY_CLUSTER_NAME) --cluster-namespace $(RAY_CLUSTER_NAMESPACE)";

const RESOURCES = { cpu: "500m", memory: "512Mi" };

/** The container, with the image of the head's Ray container unless the options name another. */
export function autoscalerContainer(cluster: RayCluster, settings: Settings, rayContainer: Container): Container {
  const options = structuredClone(cluster.spec.autoscalerOptions ?? {});
  const image = options.image ?? rayContainer.image;
  const container: Container = {
    name: ContainerName.autoscaler,
    ...(image !== undefined && { image }),
    imagePullPolicy: options.imagePullPolicy ?? "IfNotPresent",
    command: options.command?.length ? options.command : shellCommand(settings),
    args: options.args?.length ? options.args : [START_COMMAND],
    env: [
      clusterNameEnv(),
      clusterNamespaceEnv(),
      fieldEnv(EnvName.RAY_HEAD_POD_NAME, "metadata.name"),
      { name: EnvName.KUBERAY_CRD_VER, value: "v1" },
      { name: EnvName.KUBERAY_GEN_AUTOSCALER_START_CMD, value: START_COMMAND },
    ],
    ...(options.envFrom?.length && { envFrom: options.envFrom }),
    resources: options.resources ?? { limits: { ...RESOURCES }, requests: { ...RESOURCES } },
    ...(options.securityContext && { securityContext: options.securityContext }),
  };
  addTokenAuth(cluster, container);
  appendEnv(container, options.env ?? []);
  for (const mount of options.volumeMounts ?? []) appendMount(container, mount);
  return container;
}

/** The version that the user chose; unset, Ray decides by its own version and the operator knows of neither. */
export function autoscalerVersion(cluster: RayCluster): "v1" | "v2" | undefined {
  return cluster.spec.autoscalerOptions?.version;
}

/** Both autoscaling and its version 2 are asked for. */
export function usesAutoscalerV2(cluster: RayCluster): boolean {
  return cluster.spec.enableInTreeAutoscaling === true && autoscalerVersion(cluster) === "v2";
}
