// The Ingress to a cluster's dashboard (objects.md 20.1).
import type { Ingress } from "../../../api/v1/kubernetes.ts";
import { Annotation, Label } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { dashboardPort } from "../../shared/head-ports.ts";
import { operatorLabels } from "../../shared/labels.ts";
import { headServiceName, identifier, ingressName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

/** The Ingress; all annotations of the RayCluster are copied, because ingress controllers are steered by them. */
export function buildIngress(cluster: RayCluster): Ingress {
  const { [Annotation.ingressClass]: ingressClass, ...annotations } = cluster.metadata.annotations ?? {};
  const options = cluster.spec.headGroupSpec.ingressOptions;
  const service = { name: headServiceName(cluster), port: { number: dashboardPort(cluster) } };
  const path = { path: options?.path ?? "/", pathType: options?.pathType ?? "Prefix", backend: { service } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: ingressName(cluster),
      namespace: cluster.metadata.namespace ?? "default",
      labels: dashboardLabels(cluster),
      ...(Object.keys(annotations).length > 0 && { annotations }),
      ownerReferences: [controllerReference(cluster)],
    },
    spec: {
      ...(ingressClass && { ingressClassName: ingressClass }),
      rules: [{ ...(options?.host && { host: options.host }), http: { paths: [path] } }],
      ...(options?.tls?.length && { tls: structuredClone(options.tls) }),
    },
  };
}

/** Labels of the Ingress, and of the Route that takes its place on OpenShift. */
export function dashboardLabels(cluster: RayCluster): Record<string, string> {
  return { ...operatorLabels(cluster), [Label.identifier]: identifier(cluster.metadata.name, "head") };
}
