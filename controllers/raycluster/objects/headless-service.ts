// The service under which workers of multi-host replicas resolve each other (objects.md 19.2).
import type { Service } from "../../../api/v1/kubernetes.ts";
import { Label, NodeType } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { headlessServiceName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

/** One service for all groups, without ports; peers must find each other before they are ready. */
export function buildHeadlessService(cluster: RayCluster): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: headlessServiceName(cluster),
      namespace: cluster.metadata.namespace ?? "default",
      labels: { [Label.headlessWorkerService]: cluster.metadata.name },
      ownerReferences: [controllerReference(cluster)],
    },
    spec: {
      type: "ClusterIP",
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: { [Label.cluster]: cluster.metadata.name, [Label.nodeType]: NodeType.worker },
    },
  };
}
