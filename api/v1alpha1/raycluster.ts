// What v1alpha1 of a RayCluster lacks (operator.md section 20). The schema is v1's without these fields; the pod
// templates and everything unknown are kept as they are, so that writing through v1alpha1 never loses a v1 field.

/** Fields of v1 that v1alpha1 does not describe, as paths below the object; `[]` means every item. */
export const fieldsOnlyInV1 = [
  "spec.authOptions",
  "spec.autoscalerOptions.args",
  "spec.autoscalerOptions.command",
  "spec.autoscalerOptions.version",
  "spec.gcsFaultToleranceOptions",
  "spec.headGroupSpec.ingressOptions",
  "spec.headGroupSpec.labels",
  "spec.headGroupSpec.resources",
  "spec.historyServerOptions",
  "spec.managedBy",
  "spec.networkPolicy",
  "spec.tlsOptions",
  "spec.upgradeStrategy",
  "spec.workerGroupSpecs[].idleTimeoutSeconds",
  "spec.workerGroupSpecs[].labels",
  "spec.workerGroupSpecs[].numOfHosts",
  "spec.workerGroupSpecs[].priority",
  "spec.workerGroupSpecs[].resources",
  "spec.workerGroupSpecs[].suspend",
  "status.conditions",
  "status.head.podName",
  "status.head.serviceName",
  "status.stateTransitionTimes",
] as const;

/** Fields that v1alpha1 requires besides those that v1 requires. */
export const fieldsRequiredInV1alpha1 = [
  "spec.headGroupSpec.rayStartParams",
  "spec.workerGroupSpecs[].rayStartParams",
] as const;
