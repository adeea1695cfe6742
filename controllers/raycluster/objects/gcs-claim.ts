// The volume for a head that keeps its state itself (objects.md 15.3).
import type { PersistentVolumeClaim } from "../../../api/v1/kubernetes.ts";
import { Label } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { gcsClaimName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

/**
 * The claim that the operator makes when the options name none. With `deletionPolicy: Retain` nobody owns it, and it is
 * there again for the next cluster of this name.
 */
export function buildGcsClaim(cluster: RayCluster): PersistentVolumeClaim {
  const storage = cluster.spec.gcsFaultToleranceOptions?.storage;
  const modes = storage?.accessModes?.length ? [...storage.accessModes] : ["ReadWriteOnce"];
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: gcsClaimName(cluster),
      namespace: cluster.metadata.namespace ?? "default",
      labels: { [Label.cluster]: cluster.metadata.name },
      ...(storage?.deletionPolicy !== "Retain" && { ownerReferences: [controllerReference(cluster)] }),
    },
    spec: {
      accessModes: modes,
      ...(storage?.storageClassName !== undefined && { storageClassName: storage.storageClassName }),
      resources: { requests: { storage: String(storage?.size ?? "1Gi") } },
    },
  };
}
