// What the operator may do, and why: the rules of its ClusterRole, least that works. The reasons become comments in
// config/rbac/role.yaml and the table in docs/security.md.

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Which part of the operator needs it. */
  readonly why: string;
}

/** Cluster-wide, because RayClusters may be in any namespace. */
export const operatorRules: readonly Rule[] = [
  {
    apiGroups: [""],
    resources: ["pods"],
    verbs: ["create", "delete", "get", "list", "patch", "watch"],
    why: "Ray's head and workers; patch labels the hosts of multi-host groups, and the autoscaler's Role grants it",
  },
  {
    apiGroups: [""],
    resources: ["pods/resize"],
    verbs: ["patch"],
    why: "not used by the operator: who creates the autoscaler's Role must hold what that Role grants",
  },
  {
    apiGroups: [""],
    resources: ["services"],
    verbs: ["create", "get", "list", "watch"],
    why: "the head service, the headless service of multi-host groups, the Serve service",
  },
  {
    apiGroups: [""],
    resources: ["serviceaccounts"],
    verbs: ["create", "get"],
    why: "the autoscaler's account; read one at a time, never listed",
  },
  {
    apiGroups: ["rbac.authorization.k8s.io"],
    resources: ["roles", "rolebindings"],
    verbs: ["create", "get"],
    why: "the autoscaler's Role and its binding; read one at a time, never listed",
  },
  {
    apiGroups: [""],
    resources: ["secrets"],
    verbs: ["create", "get"],
    why: "the token of a RayCluster with authOptions; read one at a time, never listed, never changed or deleted",
  },
  {
    apiGroups: ["ray.io"],
    resources: ["rayclusters"],
    verbs: ["get", "list", "patch", "watch"],
    why: "what is reconciled; patch is not used by the operator: the autoscaler's Role grants it",
  },
  {
    apiGroups: ["ray.io"],
    resources: ["rayclusters/status"],
    verbs: ["patch"],
    why: "the status",
  },
  {
    apiGroups: ["ray.io"],
    resources: ["rayclusters/finalizers"],
    verbs: ["update"],
    why: "owner references that block the owner's deletion, where the API server checks them",
  },
  {
    apiGroups: ["events.k8s.io"],
    resources: ["events"],
    verbs: ["create", "patch"],
    why: "events, and the count of one that repeats",
  },
];

/** In the operator's own namespace. */
export const leaderElectionRules: readonly Rule[] = [
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    verbs: ["create", "get", "update"],
    why: "the lease ray-operator-leader: one operator works at a time",
  },
];

const everything = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** For people: editing and viewing RayClusters. Kubernetes' own admin, edit and view roles take them in. */
export const userRules: Readonly<Record<"editor" | "viewer", readonly Rule[]>> = {
  editor: [
    { apiGroups: ["ray.io"], resources: ["rayclusters"], verbs: everything, why: "whoever may edit a namespace" },
    { apiGroups: ["ray.io"], resources: ["rayclusters/status"], verbs: ["get"], why: "the status" },
  ],
  viewer: [
    {
      apiGroups: ["ray.io"],
      resources: ["rayclusters"],
      verbs: ["get", "list", "watch"],
      why: "whoever may view a namespace",
    },
    { apiGroups: ["ray.io"], resources: ["rayclusters/status"], verbs: ["get"], why: "the status" },
  ],
};
