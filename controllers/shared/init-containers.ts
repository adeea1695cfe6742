// Init containers that the operator adds (objects.md section 11).
import type { Container } from "../../api/v1/kubernetes.ts";
import { ContainerName } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { addTokenAuth } from "./authentication.ts";
import { shellCommand } from "./command.ts";
import { gcsPort } from "./ray-start.ts";
import type { Settings } from "./settings.ts";

/** Fixed: namespaces with a quota want explicit values, and some clusters refuse GPUs in init containers. */
const RESOURCES = { cpu: "200m", memory: "256Mi" };

/** Holds a worker back until the head's GCS answers. `users` is the Ray container as the user wrote it. */
export function waitGcsReady(cluster: RayCluster, settings: Settings, headHost: string, users: Container): Container {
  const { image, imagePullPolicy, securityContext, env, volumeMounts } = structuredClone(users);
  const container: Container = {
    name: ContainerName.waitGcsReady,
    ...(image !== undefined && { image }),
    ...(imagePullPolicy !== undefined && { imagePullPolicy }),
    ...(securityContext !== undefined && { securityContext }),
    command: shellCommand(settings),
    args: [waitScript(`${headHost}:${gcsPort(cluster)}`)],
    // Certificates for TLS that the user set up by hand come with these.
    ...(env !== undefined && { env }),
    ...(volumeMounts !== undefined && { volumeMounts }),
    resources: { limits: { ...RESOURCES }, requests: { ...RESOURCES } },
  };
  addTokenAuth(cluster, container);
  return container;
}

/** Asks every five seconds, without an end; what `ray health-check` prints is hidden for the first two minutes. */
function waitScript(address: string): string {
  return `SECONDS=0
while true; do
  if (( SECONDS <= 120 )); then
    ray health-check --address ${address} > /dev/null 2>&1 && break
    echo "Waiting for the GCS at ${address} ($SECONDS s)"
  else
    ray health-check --address ${address} && break
    echo "Still waiting for the GCS at ${address} ($SECONDS s), see https://docs.ray.io/en/latest/cluster/kubernetes/troubleshooting.html"
  fi
  sleep 5
done
echo "The GCS is ready"
`;
}
