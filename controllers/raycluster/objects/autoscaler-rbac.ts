// What the autoscaler may do (objects.md section 21): read and resize pods, and change its RayCluster.
import type { Role, RoleBinding, ServiceAccount } from "../../../api/v1/kubernetes.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { operatorLabels } from "../../shared/labels.ts";
import { autoscalerRoleName, autoscalerServiceAccountName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

const RBAC_GROUP = "rbac.authorization.k8s.io";

/** The account; its name may be the user's, and then it must exist already. */
export function buildAutoscalerServiceAccount(cluster: RayCluster): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadata(cluster, autoscalerServiceAccountName(cluster)),
  };
}

export function buildAutoscalerRole(cluster: RayCluster): Role {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: "Role",
    metadata: metadata(cluster, autoscalerRoleName(cluster)),
    rules: [
      { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "patch"] },
      { apiGroups: [""], resources: ["pods/resize"], verbs: ["patch"] },
      { apiGroups: ["ray.io"], resources: ["rayclusters"], verbs: ["get", "patch"] },
    ],
  };
}

export function buildAutoscalerRoleBinding(cluster: RayCluster): RoleBinding {
  const namespace = cluster.metadata.namespace ?? "default";
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: "RoleBinding",
    metadata: metadata(cluster, autoscalerRoleName(cluster)),
    subjects: [{ kind: "ServiceAccount", name: autoscalerServiceAccountName(cluster), namespace }],
    roleRef: { apiGroup: RBAC_GROUP, kind: "Role", name: autoscalerRoleName(cluster) },
  };
}

function metadata(cluster: RayCluster, name: string) {
  return {
    name,
    namespace: cluster.metadata.namespace ?? "default",
    labels: operatorLabels(cluster),
    ownerReferences: [controllerReference(cluster)],
  };
}
