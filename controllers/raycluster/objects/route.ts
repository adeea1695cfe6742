// The Route to a cluster's dashboard on OpenShift (objects.md 20.2).
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { dashboardPort } from "../../shared/head-ports.ts";
import { headServiceName, routeName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";
import { dashboardLabels } from "./ingress.ts";

/** A Route (route.openshift.io/v1), as far as the operator fills it in. */
export interface Route extends KubeObject {
  spec: {
    to: { kind: "Service"; name: string; weight: number };
    port: { targetPort: number };
    wildcardPolicy: "None";
  };
}

/** The Route. `ingressOptions` say nothing about it. */
export function buildRoute(cluster: RayCluster): Route {
  const { annotations } = cluster.metadata;
  return {
    apiVersion: "route.openshift.io/v1",
    kind: "Route",
    metadata: {
      name: routeName(cluster),
      namespace: cluster.metadata.namespace ?? "default",
      labels: dashboardLabels(cluster),
      ...(annotations && { annotations: { ...annotations } }),
      ownerReferences: [controllerReference(cluster)],
    },
    spec: {
      to: { kind: "Service", name: headServiceName(cluster), weight: 100 },
      port: { targetPort: dashboardPort(cluster) },
      wildcardPolicy: "None",
    },
  };
}
