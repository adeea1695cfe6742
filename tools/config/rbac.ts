// config/rbac: who the operator is and what it may do.
import { ApiObject, type Chart } from "cdk8s";
import { leaderElectionRules, operatorRules, type Rule, userRules } from "./rules.ts";

export const operatorName = "kuberay-operator";
const rbacGroup = "rbac.authorization.k8s.io";

/** Every file of the folder by its name. */
export const rbacFiles: Readonly<Record<string, (chart: Chart) => void>> = {
  "service_account.yaml": (chart) => {
    object(chart, "ServiceAccount", operatorName, {}, "v1");
  },
  "role.yaml": (chart) => {
    object(chart, "ClusterRole", operatorName, { rules: operatorRules.map(plainRule) });
  },
  "role_binding.yaml": (chart) => {
    object(chart, "ClusterRoleBinding", operatorName, binding("ClusterRole", operatorName));
  },
  "leader_election_role.yaml": (chart) => {
    object(chart, "Role", `${operatorName}-leader-election`, { rules: leaderElectionRules.map(plainRule) });
  },
  "leader_election_role_binding.yaml": (chart) => {
    const name = `${operatorName}-leader-election`;
    object(chart, "RoleBinding", name, binding("Role", name));
  },
  "ray_raycluster_editor_role.yaml": (chart) => userRole(chart, "editor", ["admin", "edit"]),
  "ray_raycluster_viewer_role.yaml": (chart) => userRole(chart, "viewer", ["view"]),
};

/** The reasons of a file's rules, in their order: they become comments. */
export const reasons: Readonly<Record<string, readonly string[]>> = {
  "role.yaml": operatorRules.map(({ why }) => why),
  "leader_election_role.yaml": leaderElectionRules.map(({ why }) => why),
};

function userRole(chart: Chart, who: keyof typeof userRules, aggregatesTo: readonly string[]): void {
  const labels = aggregatesTo.map((role) => [`${rbacGroup}/aggregate-to-${role}`, "true"]);
  new ApiObject(chart, who, {
    apiVersion: `${rbacGroup}/v1`,
    kind: "ClusterRole",
    metadata: { name: `raycluster-${who}-role`, labels: Object.fromEntries(labels) },
    rules: userRules[who].map(plainRule),
  } as ConstructorParameters<typeof ApiObject>[2]);
}

/** An object whose fields besides metadata cdk8s does not know. */
function object(chart: Chart, kind: string, name: string, fields: object, apiVersion = `${rbacGroup}/v1`): void {
  const manifest = { apiVersion, kind, metadata: { name }, ...fields };
  new ApiObject(chart, kind, manifest as ConstructorParameters<typeof ApiObject>[2]);
}

/** kustomize fills in the subject's namespace. */
function binding(kind: string, name: string): object {
  return {
    roleRef: { apiGroup: rbacGroup, kind, name },
    subjects: [{ kind: "ServiceAccount", name: operatorName, namespace: "default" }],
  };
}

function plainRule({ apiGroups, resources, verbs }: Rule): object {
  return { apiGroups, resources, verbs };
}
