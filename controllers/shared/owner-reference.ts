// Ownership: the garbage collector removes what a deleted owner leaves behind (objects.md section 28).
import type { OwnerReference } from "../../api/v1/kubernetes.ts";
import type { KubeObject } from "../../src/kube/types.ts";

/** The reference of the one controller of an object. An owner that only exists in a file has no UID yet. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
