// The service under which a cluster's head is reached (objects.md 19.1).
import type { Service, ServicePort } from "../../../api/v1/kubernetes.ts";
import { APP_NAME, Label, NodeType, OPERATOR_NAME } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { headPorts } from "../../shared/head-ports.ts";
import { headServiceName, identifier } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";
import type { Settings } from "../../shared/settings.ts";

/** The head service: a headless one, or what the user's own `headService` or `serviceType` make of it. */
export function buildHeadService(cluster: RayCluster, settings: Settings): Service {
  const users = cluster.spec.headGroupSpec.headService;
  const selector = headServiceSelector(cluster);
  const annotations = { ...users?.metadata?.annotations, ...cluster.spec.headServiceAnnotations };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: headServiceName(cluster),
      namespace: cluster.metadata.namespace ?? "default",
      labels: { ...users?.metadata?.labels, ...selector },
      ...(Object.keys(annotations).length > 0 && { annotations }),
      ...(users?.metadata?.finalizers?.length && { finalizers: [...users.metadata.finalizers] }),
      ownerReferences: [controllerReference(cluster)],
    },
    spec: { ...(users ? usersSpec(cluster) : ownSpec(cluster, settings)), selector },
  };
}

type ServiceSpec = NonNullable<Service["spec"]>;

/**
 * Labels of the service, and what its pods must carry. The head's template may choose `app.kubernetes.io/name`; other
 * labels that a user overrides there make the service lose its head, as in KubeRay.
 */
function headServiceSelector(cluster: RayCluster): Record<string, string> {
  return {
    [Label.cluster]: cluster.metadata.name,
    [Label.nodeType]: NodeType.head,
    [Label.identifier]: identifier(cluster.metadata.name, NodeType.head),
    [Label.appName]: cluster.spec.headGroupSpec.template.metadata?.labels?.[Label.appName] ?? APP_NAME,
    [Label.appCreatedBy]: OPERATOR_NAME,
  };
}

/**
 * Headless unless another type or a cluster IP is asked for: there is only one head, and workers must reach it before
 * its probes succeed.
 */
function ownSpec(cluster: RayCluster, settings: Settings): ServiceSpec {
  const type = cluster.spec.headGroupSpec.serviceType;
  const headless = (!type || type === "ClusterIP") && !settings.enableRayHeadClusterIPService;
  return {
    ...(type && { type }),
    ports: generatedPorts(cluster),
    ...(headless && { clusterIP: "None", publishNotReadyAddresses: true }),
  };
}

/** KubeRay: the user's ports first, then all generated ones; a name that occurs twice is the API server's to refuse. */
function usersSpec(cluster: RayCluster): ServiceSpec {
  const { headService, serviceType } = cluster.spec.headGroupSpec;
  const spec = structuredClone(headService?.spec) ?? {};
  const type = spec.type || serviceType;
  return { ...spec, ...(type && { type }), ports: [...(spec.ports ?? []), ...generatedPorts(cluster)] };
}

function generatedPorts(cluster: RayCluster): ServicePort[] {
  return [...headPorts(cluster)].map(([name, port]) => ({ name, port, appProtocol: "tcp" }));
}
