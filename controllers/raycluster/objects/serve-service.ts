// The service for Serve traffic of a RayCluster that asks for it by annotation (objects.md 19.3).
import type { Service } from "../../../api/v1/kubernetes.ts";
import { Kind, Label } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { servePorts } from "../../shared/head-ports.ts";
import { serveServiceName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

/** Why there is no serve service, in one sentence without a final full stop. */
export interface NoServePort {
  readonly problem: string;
}

/**
 * The serve service of a cluster that asks for it itself, or (`creator` RayService) of one that a RayService upgrades
 * in small steps: there only pods that run a Serve proxy get traffic. The first selects all pods of the cluster, whether or not a Serve proxy runs in
 * them, as in KubeRay. A head that declares ports, but none for Serve, gives a `problem` instead.
 */
export function buildServeService(
  cluster: RayCluster,
  creator: "RayCluster" | "RayService" = Kind.rayCluster,
): Service | NoServePort {
  const ports = [...servePorts(cluster)].map(([name, port]) => ({ name, port }));
  if (ports.length === 0) {
    return { problem: "the head's Ray container declares ports, but none is named serve or serve-..." };
  }
  const type = cluster.spec.headGroupSpec.serviceType;
  const name = cluster.metadata.name;
  const selector = { [Label.cluster]: name, ...(creator === Kind.rayService && { [Label.serve]: "true" }) };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: serveServiceName(name),
      namespace: cluster.metadata.namespace ?? "default",
      labels: {
        [Label.originatedFromName]: name,
        [Label.originatedFromKind]: creator,
        [Label.serve]: `${name}-serve`,
      },
      ownerReferences: [controllerReference(cluster)],
    },
    spec: { ...(type && { type }), selector, ports },
  };
}
