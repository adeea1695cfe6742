// The Job that erases a deleted cluster's state in Redis (objects.md 15.4).
import type { Container, Job } from "../../../api/v1/kubernetes.ts";
import { ContainerName, EnvName, Label, NodeType } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { shellCommand } from "../../shared/command.ts";
import { appendEnv } from "../../shared/environment.ts";
import { redisCleanupJobName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";
import type { Settings } from "../../shared/settings.ts";
import { describeHeadPod } from "./head-pod.ts";

const RESOURCES = { cpu: "200m", memory: "256Mi" };

/** The Job: the head pod's place, volumes and variables, but a script instead of Ray. */
export function buildRedisCleanupJob(cluster: RayCluster, settings: Settings): Job {
  const pod = describeHeadPod(cluster, settings, { name: redisCleanupJobName(cluster) });
  const [rayContainer] = pod.spec?.containers ?? [];
  if (!pod.spec || !rayContainer) throw new Error("a head pod without a Ray container");
  const { name: _, ...metadata } = pod.metadata;
  const labels = { ...metadata.labels, [Label.nodeType]: NodeType.redisCleanup };
  const { annotations } = metadata;
  // This pod's address never gets into the certificate: the container would wait without an end.
  const initContainers = pod.spec.initContainers?.filter(({ name }) => name !== ContainerName.waitForTlsIpSan);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: redisCleanupJobName(cluster),
      namespace: cluster.metadata.namespace ?? "default",
      labels,
      ...(annotations && { annotations: { ...annotations } }),
      ownerReferences: [controllerReference(cluster)],
    },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: 300,
      template: {
        metadata: { ...metadata, labels: { ...labels } },
        spec: {
          ...pod.spec,
          containers: [cleanupContainer(rayContainer, settings)],
          ...(initContainers && { initContainers }),
          restartPolicy: "Never",
        },
      },
    },
  };
}

function cleanupContainer(rayContainer: Container, settings: Settings): Container {
  const { livenessProbe: _liveness, readinessProbe: _readiness, ...container } = rayContainer;
  const withUser = container.env?.some((variable) => variable.name === EnvName.REDIS_USERNAME) ?? false;
  const result: Container = {
    ...container,
    command: shellCommand(settings),
    args: [cleanupScript(withUser)],
    resources: { limits: { ...RESOURCES }, requests: { ...RESOURCES } },
  };
  // Redis may be restarting: at least a minute of attempts.
  appendEnv(result, [
    { name: EnvName.RAY_redis_db_connect_retries, value: "120" },
    { name: EnvName.RAY_redis_db_connect_wait_milliseconds, value: "500" },
  ]);
  return result;
}

/** Old Ray versions do not take `username`, so it is passed only where one is set. */
function cleanupScript(withUser: boolean): string {
  const username = withUser ? '    username=os.environ.get("REDIS_USERNAME", url.username),\n' : "";
  return `echo "Erasing this cluster's state in Redis. To do it by hand, see https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-gcs-ft.html"
exec python -c '
import os, sys
from urllib.parse import urlparse
from ray._private.gcs_utils import cleanup_redis_storage

address = os.environ.get("RAY_REDIS_ADDRESS", "").split(",")[0]
url = urlparse(address if "://" in address else "redis://" + address)
erased = cleanup_redis_storage(
    host=url.hostname,
    port=url.port,
${username}    password=os.environ.get("REDIS_PASSWORD", url.password or ""),
    use_ssl=url.scheme == "rediss",
    storage_namespace=os.environ.get("RAY_external_storage_namespace"),
)
sys.exit(0 if erased else 1)
'
`;
}
