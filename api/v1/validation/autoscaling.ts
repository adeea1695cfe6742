// Rules about suspended groups and the autoscaler (raycluster-controller.md 4.3, rows 12 to 16, and section 7 step 5).
import { EnvName } from "../labels.ts";
import { type FieldError, failIf } from "./field-error.ts";
import { envField, findEnv, type HeadView, type SpecView } from "./spec-view.ts";

/** Rows 12 to 16 in their order. */
export function autoscaling(view: SpecView): FieldError[] {
  return [
    ...suspendedGroupsNeedGate(view),
    ...(view.autoscaling ? withAutoscaling(view) : withoutAutoscaling(view)),
    ...options(view),
  ];
}

/**
 * What is allowed, but unlikely to work: autoscaler v1 cannot tell a worker that restarts from one that is gone. One
 * sentence, or nothing. The reference reports it under `InvalidRayClusterSpec` and goes on.
 */
export function autoscalerAdvice(view: SpecView): FieldError | undefined {
  if (!view.autoscaling || view.autoscaler.version !== "v1") return undefined;
  const restarting = view.groups.filter(restarts);
  const first = restarting[0];
  if (first === undefined) return undefined;
  const names = restarting.map(({ name }) => name).join(", ");
  return {
    field: `${first.field}.template.spec.restartPolicy`,
    message: `restartPolicy should be Never or unset for worker groups when using autoscaler v1, but these groups set another: ${names}`,
  };
}

function suspendedGroupsNeedGate({ gates, groups }: SpecView): FieldError[] {
  const suspended = groups.find(({ group }) => group.suspend === true);
  return failIf(
    !gates.RayJobDeletionPolicy && suspended !== undefined,
    `${suspended?.field}.suspend`,
    `worker group ${suspended?.name}: suspend requires the RayJobDeletionPolicy feature gate to be enabled`,
  );
}

function withoutAutoscaling({ head, autoscalerV2ByEnv }: SpecView): FieldError[] {
  const name = EnvName.RAY_enable_autoscaler_v2;
  return failIf(
    autoscalerV2ByEnv,
    envField(head, name),
    `environment variable ${name} is set in the head Pod, but .spec.enableInTreeAutoscaling is not true. Please set it to true to use the autoscaler`,
  );
}

function withAutoscaling(view: SpecView): FieldError[] {
  const { head, groups, autoscaler, autoscalerV2 } = view;
  const variable = EnvName.RAY_enable_autoscaler_v2;
  const suspended = groups.find(({ group }) => group.suspend === true);
  const restarting = groups.find(restarts);
  return [
    ...failIf(
      suspended !== undefined,
      `${suspended?.field}.suspend`,
      `worker group ${suspended?.name} cannot be suspended with Autoscaler enabled`,
    ),
    ...failIf(
      autoscaler.version !== undefined && findEnv(head.container, variable) !== undefined,
      "spec.autoscalerOptions.version",
      `both .spec.autoscalerOptions.version and environment variable ${variable} in the head Pod are set. Please use only .spec.autoscalerOptions.version`,
    ),
    ...failIf(
      autoscalerV2 && restarts(head),
      `${head.field}.template.spec.restartPolicy`,
      "restartPolicy for head Pod should be Never or unset when using autoscaler V2",
    ),
    ...failIf(
      autoscalerV2 && restarting !== undefined,
      `${restarting?.field}.template.spec.restartPolicy`,
      `restartPolicy for worker group ${restarting?.name} should be Never or unset when using autoscaler V2`,
    ),
  ];
}

function options({ autoscaler }: SpecView): FieldError[] {
  const seconds = autoscaler.idleTimeoutSeconds ?? 0;
  const name = EnvName.KUBERAY_GEN_AUTOSCALER_START_CMD;
  const variable = autoscaler.env?.findIndex((entry) => entry.name === name) ?? -1;
  return [
    ...failIf(
      seconds < 0,
      "spec.autoscalerOptions.idleTimeoutSeconds",
      `autoscalerOptions.idleTimeoutSeconds must not be negative, got ${seconds}`,
    ),
    ...failIf(
      variable >= 0,
      `spec.autoscalerOptions.env[${variable}]`,
      `cannot set \`${name}\` in autoscalerOptions.env - the operator sets it to the generated command`,
    ),
  ];
}

function restarts({ template }: HeadView): boolean {
  const policy = template?.spec?.restartPolicy ?? "";
  return policy !== "" && policy !== "Never";
}
