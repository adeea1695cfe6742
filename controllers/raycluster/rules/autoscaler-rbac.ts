// The account under which the autoscaler sidecar patches its own RayCluster (raycluster-controller.md 9.1).
import type { Action, Decision } from "../../../src/kube/decision.ts";
import { needKey } from "../../../src/kube/decision.ts";
import type { KubeObject, ObjectReference, ResourceType } from "../../../src/kube/types.ts";
import { roleBindings, roles, serviceAccounts } from "../../shared/resources.ts";
import {
  buildAutoscalerRole,
  buildAutoscalerRoleBinding,
  buildAutoscalerServiceAccount,
} from "../objects/autoscaler-rbac.ts";
import { namespaceOf, type ObservedCluster } from "../observed.ts";
import { createObject, Wave, warning } from "./rule.ts";

/**
 * Creates what is missing of service account, role and role binding. A service account that the user named is never
 * created: made under the user's name it would vanish with this cluster.
 */
export function autoscalerRbac(seen: ObservedCluster): Partial<Decision> {
  const { cluster } = seen;
  if (cluster.spec.enableInTreeAutoscaling !== true) return {};
  const parts = [
    part(serviceAccounts, buildAutoscalerServiceAccount(cluster), "ServiceAccount", "service account"),
    part(roles, buildAutoscalerRole(cluster), "Role", "role"),
    part(roleBindings, buildAutoscalerRoleBinding(cluster), "RoleBinding", "role binding"),
  ];
  const unread = parts.filter((item) => !seen.read.has(needKey(item.reference)));
  if (unread.length > 0) return { needs: unread.map((item) => item.reference) };

  const missing = parts.filter((item) => seen.read.get(needKey(item.reference)) === null);
  const usersAccount = cluster.spec.headGroupSpec.template.spec?.serviceAccountName;
  if (usersAccount && missing.some((item) => item.reference.type === serviceAccounts)) {
    const text = `service account ${namespaceOf(cluster)}/${usersAccount} of the head's template does not exist; create it, or leave serviceAccountName empty and the operator makes one for the autoscaler`;
    return { failure: text, events: [warning("AutoscalerServiceAccountNotFound", "Validate", text)] };
  }
  return { actions: missing.map((item) => item.create) };
}

interface Part {
  readonly reference: ObjectReference;
  readonly create: Action;
}

function part(type: ResourceType, object: KubeObject, what: string, words: string): Part {
  const { namespace, name } = object.metadata;
  return {
    reference: { type, namespace, name },
    create: {
      ...createObject(type, object, what, {
        created: `Created ${words} ${namespace}/${name}`,
        failed: (message) => `Failed to create ${words} ${namespace}/${name}, ${message}`,
        reason: `the autoscaler needs the ${words} ${name} and it does not exist`,
      }),
      // Who binds a role must hold its rights, and the API server reads the role to know them: it has to be there.
      ...(type === roleBindings && { wave: Wave.bindings }),
      adoptExisting: true,
    },
  };
}
