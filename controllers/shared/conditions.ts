// Conditions as Kubernetes means them: one per type, with the time of the last change of status.

/** An entry of `status.conditions`. Source: Kubernetes API reference, meta/v1 Condition. */
export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const MAX_REASON_LENGTH = 1024;
const MAX_MESSAGE_LENGTH = 32_768;

/**
 * The list with one condition set: its transition time moves only with its status, and a new type goes to the end.
 * A reason that the API server would refuse becomes `Unknown`; a message that is too long is cut.
 */
export function withCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, "lastTransitionTime">,
  now: string,
): Condition[] {
  const at = conditions.findIndex((condition) => condition.type === next.type);
  const stored = conditions[at];
  const condition: Condition = {
    ...next,
    reason: next.reason.length <= MAX_REASON_LENGTH && REASON.test(next.reason) ? next.reason : "Unknown",
    message: next.message.slice(0, MAX_MESSAGE_LENGTH),
    lastTransitionTime: stored?.status === next.status ? stored.lastTransitionTime : now,
  };
  return at < 0 ? [...conditions, condition] : conditions.with(at, condition);
}

export function withoutCondition(conditions: readonly Condition[], type: string): Condition[] {
  return conditions.filter((condition) => condition.type !== type);
}
