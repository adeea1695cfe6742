// Types and reasons of `status.conditions` and the values of `status.state` (raycluster-controller.md section 3).

/** Condition types of a RayCluster. */
export const RayClusterConditionType = {
  headPodReady: "HeadPodReady",
  provisioned: "RayClusterProvisioned",
  replicaFailure: "ReplicaFailure",
  suspending: "RayClusterSuspending",
  suspended: "RayClusterSuspended",
  /** Ours: present only while it is `False`, with the reason why the cluster is not what its spec says. */
  reconciled: "Reconciled",
} as const;
export type RayClusterConditionType = (typeof RayClusterConditionType)[keyof typeof RayClusterConditionType];

/** Condition reasons of a RayCluster; `HeadPodReady` may also carry a reason copied from the pod. */
export const RayClusterConditionReason = {
  headPodNotFound: "HeadPodNotFound",
  headPodRunningAndReady: "HeadPodRunningAndReady",
  unknown: "Unknown",
  allPodsReadyFirstTime: "AllPodRunningAndReadyFirstTime",
  podsProvisioning: "RayClusterPodsProvisioning",
  failedDeleteAllPods: "FailedDeleteAllPods",
  failedDeleteHeadPod: "FailedDeleteHeadPod",
  failedCreateHeadPod: "FailedCreateHeadPod",
  failedDeleteWorkerPod: "FailedDeleteWorkerPod",
  failedCreateWorkerPod: "FailedCreateWorkerPod",
  suspending: "RayClusterSuspending",
  suspended: "RayClusterSuspended",
} as const;
export type RayClusterConditionReason = (typeof RayClusterConditionReason)[keyof typeof RayClusterConditionReason];

/** Values of `status.state`; an empty state is an absent field. `failed` is in the API and never written. */
export const RayClusterState = { ready: "ready", suspended: "suspended", failed: "failed" } as const;
export type RayClusterState = (typeof RayClusterState)[keyof typeof RayClusterState];
