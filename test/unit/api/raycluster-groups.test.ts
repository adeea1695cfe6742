import {
  autoscalerV2,
  autoscaling,
  describeCases,
  group,
  head,
  headEnv,
  headPod,
  v2ByEnv,
} from "./raycluster-cases.ts";
import { validCluster } from "./raycluster-fixtures.ts";

describeCases("a RayCluster is refused for its groups", [
  {
    title: "when there is none at all",
    set: { spec: undefined },
    field: `${headPod}.containers`,
    message: "headGroupSpec should have at least one container",
  },
  {
    title: "when the head has no container",
    set: { [`${headPod}.containers`]: [] },
    field: `${headPod}.containers`,
    message: "headGroupSpec should have at least one container",
  },
  {
    title: "when a group has no container",
    set: { [`${group}.template.spec.containers`]: [] },
    field: `${group}.template.spec.containers`,
    message: "workerGroupSpec should have at least one container",
  },
  ...["num-cpus", "num-gpus", "memory", "resources"].map((name) => ({
    title: `when the head's resources and its start parameter ${name} disagree`,
    set: { [`${head}.resources`]: { CPU: "1" }, [`${head}.rayStartParams`]: { [name]: "1" } },
    field: `${head}.resources`,
    message: new RegExp(`rayStartParams \`${name}\``),
  })),
  {
    title: "when a group's resources and start parameters disagree",
    set: { [`${group}.resources`]: { CPU: "1" }, [`${group}.rayStartParams`]: { memory: "1" } },
    field: `${group}.resources`,
    message: /^worker group small: resources and rayStartParams/,
  },
  {
    title: "when labels are a start parameter, even an empty one",
    set: { [`${head}.rayStartParams.labels`]: "" },
    field: `${head}.rayStartParams.labels`,
    message: /`labels` in rayStartParams/,
  },
  {
    title: "when a group's labels are a start parameter",
    set: { [`${group}.rayStartParams.labels`]: "a=b" },
    field: `${group}.rayStartParams.labels`,
    message: /^worker group small: cannot set `labels`/,
  },
  {
    title: "with all that is wrong with its labels in one message",
    set: { [`${head}.labels`]: { "a b": "x", ok: "not ok" } },
    field: `${head}.labels`,
    message: /label key 'a b'.*; .*'not ok' of label 'ok'/,
  },
  {
    title: "when a label key has two slashes",
    set: { [`${group}.labels`]: { "a/b/c": "x" } },
    field: `${group}.labels`,
    message: /a qualified name must consist of/,
  },
  {
    title: "when a label value is too long",
    set: { [`${group}.labels`]: { a: "x".repeat(64) } },
    field: `${group}.labels`,
    message: /must be no more than 63 characters/,
  },
  {
    title: "when a minimum is missing without autoscaling",
    set: { [`${group}.minReplicas`]: undefined },
    field: `${group}.minReplicas`,
    message: /must be set when autoscaling is not enabled/,
  },
  {
    title: "when a maximum is missing without autoscaling",
    set: { [`${group}.maxReplicas`]: undefined },
    field: `${group}.maxReplicas`,
    message: /must be set when autoscaling is not enabled/,
  },
  {
    title: "when a minimum is negative",
    set: { [`${group}.minReplicas`]: -1 },
    field: `${group}.minReplicas`,
    message: /negative minReplicas -1/,
  },
  {
    title: "when a maximum is negative",
    set: { [`${group}.maxReplicas`]: -2 },
    field: `${group}.maxReplicas`,
    message: /negative maxReplicas -2/,
  },
  {
    title: "when a minimum is above the maximum",
    set: { [`${group}.minReplicas`]: 3, [`${group}.maxReplicas`]: 2 },
    field: `${group}.minReplicas`,
    message: "worker group small has minReplicas 3 greater than maxReplicas 2",
  },
  {
    title: "when an idle timeout is negative",
    set: { ...autoscalerV2, [`${group}.idleTimeoutSeconds`]: -1 },
    field: `${group}.idleTimeoutSeconds`,
    message: /must not be negative, got -1/,
  },
  {
    title: "when an idle timeout has no autoscaler v2",
    set: { ...autoscaling, "spec.autoscalerOptions.version": "v1", [`${group}.idleTimeoutSeconds`]: 60 },
    field: `${group}.idleTimeoutSeconds`,
    message:
      "worker group small: idleTimeoutSeconds is set, but autoscaler v2 is not enabled. Please set .spec.autoscalerOptions.version to 'v2' (or set RAY_enable_autoscaler_v2 environment variable to 'true' in the head pod if using KubeRay < 1.4.0)",
  },
  {
    title: "when a priority has no version",
    set: { ...autoscalerV2, "spec.rayVersion": "", [`${group}.priority`]: 1 },
    field: `${group}.priority`,
    message: /rayVersion is not set/,
  },
  {
    title: "when a priority has a version that cannot be read",
    set: { ...autoscalerV2, "spec.rayVersion": "nightly", [`${group}.priority`]: 1 },
    field: `${group}.priority`,
    message: /nightly is no version/,
  },
  {
    title: "when a priority is asked of an older Ray",
    set: { ...autoscalerV2, "spec.rayVersion": "2.55.9", [`${group}.priority`]: -1 },
    field: `${group}.priority`,
    message: /2\.56\.0 or later, got 2\.55\.9/,
  },
  {
    title: "when a priority has no autoscaler v2",
    set: { [`${group}.priority`]: 1 },
    field: `${group}.priority`,
    message: /autoscaler v2 is not enabled/,
  },
  {
    title: "when two groups have one name",
    set: { "spec.workerGroupSpecs[1]": { ...validCluster().spec.workerGroupSpecs?.[0] } },
    field: "spec.workerGroupSpecs[1].groupName",
    message: /must be unique, but small is used more than once/,
  },
  {
    title: "when a group is called like the head's",
    set: { [`${group}.groupName`]: "headgroup" },
    field: `${group}.groupName`,
    message: /reserved for the head/,
  },
  {
    title: "when a group has an empty name",
    set: { [`${group}.groupName`]: "" },
    field: `${group}.groupName`,
    message: /must not be empty/,
  },
  {
    title: "when a replica has no host",
    set: { [`${group}.numOfHosts`]: 0 },
    field: `${group}.numOfHosts`,
    message: /numOfHosts 0/,
  },
  {
    title: "when a number does not fit",
    set: { [`${group}.replicas`]: 3e9 },
    field: `${group}.replicas`,
    message: /does not fit into 32 bits/,
  },
]);

describeCases("a RayCluster is refused for autoscaling", [
  {
    title: "with a suspended group, without the gate",
    set: { [`${group}.suspend`]: true },
    gates: { RayJobDeletionPolicy: false },
    field: `${group}.suspend`,
    message: /RayJobDeletionPolicy feature gate/,
  },
  {
    title: "that is off but asked for in the environment",
    set: v2ByEnv,
    field: `${headEnv}[0]`,
    message: /RAY_enable_autoscaler_v2/,
  },
  {
    title: "with a suspended group",
    set: { ...autoscaling, [`${group}.suspend`]: true },
    field: `${group}.suspend`,
    message: /cannot be suspended with Autoscaler enabled/,
  },
  {
    title: "with its version said twice",
    set: { ...autoscalerV2, [`${headEnv}[0]`]: { name: "RAY_enable_autoscaler_v2", value: "0" } },
    field: "spec.autoscalerOptions.version",
    message: /Please use only \.spec\.autoscalerOptions\.version/,
  },
  {
    title: "v2 with a head that restarts",
    set: { ...autoscalerV2, [`${headPod}.restartPolicy`]: "Always" },
    field: `${headPod}.restartPolicy`,
    message: "restartPolicy for head Pod should be Never or unset when using autoscaler V2",
  },
  {
    title: "v2 with workers that restart",
    set: { ...autoscalerV2, [`${group}.template.spec.restartPolicy`]: "OnFailure" },
    field: `${group}.template.spec.restartPolicy`,
    message: /worker group small should be Never or unset/,
  },
  {
    title: "with a negative idle timeout",
    set: { "spec.autoscalerOptions.idleTimeoutSeconds": -1 },
    field: "spec.autoscalerOptions.idleTimeoutSeconds",
    message: /must not be negative, got -1/,
  },
  {
    title: "with the generated command overwritten",
    set: { "spec.autoscalerOptions.env": [{ name: "A" }, { name: "KUBERAY_GEN_AUTOSCALER_START_CMD" }] },
    field: "spec.autoscalerOptions.env[1]",
    message: /`KUBERAY_GEN_AUTOSCALER_START_CMD`/,
  },
]);
