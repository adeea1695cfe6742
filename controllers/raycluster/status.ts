// The status of a RayCluster (raycluster-controller.md section 13): a pure function of what was seen and of how the
// actions of this pass ended. Each part is computed by itself; one that cannot be known keeps its stored value.
import {
  RayClusterState,
  RayClusterConditionReason as Reason,
  RayClusterConditionType as Type,
} from "../../api/v1/conditions.ts";
import type { Pod, Service } from "../../api/v1/kubernetes.ts";
import type { RayClusterStatus } from "../../api/v1/raycluster.ts";
import type { Decision, Outcome, StatusResult } from "../../src/kube/decision.ts";
import { type Condition, withCondition, withoutCondition } from "../shared/conditions.ts";
import { desiredResourceStatus, desiredWorkers, maxWorkers, minWorkers } from "../shared/replicas.ts";
import { problemOf } from "./decide.ts";
import { isHead, isRunningAndReady, isWorker, type ObservedCluster, suspension } from "./observed.ts";
import { type RuleContext, stableMessage } from "./rules/rule.ts";
import { headServiceOf } from "./rules/services.ts";
import { type PodView, podView, serviceView } from "./views.ts";

export function status(
  before: ObservedCluster,
  outcomes: readonly Outcome[],
  decision: Decision,
  context: RuleContext,
): StatusResult<RayClusterStatus> {
  const stored: Partial<RayClusterStatus> = before.cluster.status ?? {};
  const next = computeStatus(afterOutcomes(before, outcomes), { outcomes, failure: decision.failure }, context);
  return { status: next, mayWait: onlyCountsMoved(stored, next) };
}

/** How the pass went: the ends of its actions, and a failure that none of them tells. */
interface Pass {
  readonly outcomes: readonly Outcome[];
  readonly failure: string | undefined;
}

function computeStatus(seen: ObservedCluster, pass: Pass, context: RuleContext): RayClusterStatus {
  const { cluster } = seen;
  const now = new Date(context.now).toISOString().replace(/\.\d+Z$/, "Z");
  const stored: Partial<RayClusterStatus> = cluster.status ?? {};
  const observedGeneration = cluster.metadata.generation ?? 0;
  const problem = problemOf(seen, context);
  if (problem) {
    const refused = {
      type: Type.reconciled,
      status: "False",
      reason: problem.reason,
      message: problem.error.message,
    } as const;
    const conditions = withCondition(conditionsOf(stored), { ...refused, observedGeneration }, now);
    return { ...emptyStatus, ...stored, conditions, observedGeneration, lastUpdateTime: now };
  }
  const failed =
    pass.failure !== undefined ||
    pass.outcomes.some((outcome) => outcome.result !== "done" && !outcome.action.optional);
  const state = stateOf(seen, failed) ?? stored.state;
  const { reason: _cleared, ...kept } = stored;
  const next: RayClusterStatus = {
    ...emptyStatus,
    ...(state === RayClusterState.ready ? kept : stored),
    ...counts(seen),
    ...desiredResourceStatus(cluster),
    ...headOf(seen, stored),
    conditions: context.settings.featureGates.RayClusterStatusConditions
      ? conditions(seen, pass, failed, now)
      : conditionsOf(stored),
    observedGeneration,
    lastUpdateTime: now,
  };
  if (state === undefined || state === stored.state) return next;
  return { ...next, state, stateTransitionTimes: { ...stored.stateTransitionTimes, [state]: now } };
}

const emptyStatus = { desiredCPU: "0", desiredMemory: "0", desiredGPU: "0", desiredTPU: "0", head: {} };

/** The cluster as it is after this pass's own writes, which no cache shows yet. */
function afterOutcomes(seen: ObservedCluster, outcomes: readonly Outcome[]): ObservedCluster {
  const created = outcomes.flatMap((outcome) =>
    outcome.result === "done" && outcome.action.verb === "create" ? [outcome.object ?? outcome.action.object] : [],
  );
  const known = new Set([...seen.pods, ...seen.services].map((view) => view.metadata.name));
  const fresh = created.filter((object) => !known.has(object.metadata.name));
  return {
    ...seen,
    pods: [...seen.pods, ...fresh.filter((object) => object.kind === "Pod").map((pod) => podView(pod as Pod))],
    services: [
      ...seen.services,
      ...fresh.filter((object) => object.kind === "Service").map((service) => serviceView(service as Service)),
    ],
  };
}

function counts({ cluster, pods }: ObservedCluster): Partial<RayClusterStatus> {
  const running = pods.filter((pod) => isWorker(pod) && pod.phase === "Running");
  const numbers = {
    readyWorkerReplicas: running.filter((pod) => pod.ready?.status === "True").length,
    availableWorkerReplicas: running.length,
    desiredWorkerReplicas: desiredWorkers(cluster),
    minWorkerReplicas: minWorkers(cluster),
    maxWorkerReplicas: maxWorkers(cluster),
  };
  // KubeRay's Go types leave zeros out; undefined also takes a stored number away.
  return Object.fromEntries(Object.entries(numbers).map(([name, count]) => [name, count || undefined]));
}

function everythingRuns({ pods }: ObservedCluster): boolean {
  return pods.length > 0 && pods.every(isRunningAndReady);
}

/** The new state, or undefined where it stays: it leaves `ready` only for `suspended`, as in the reference. */
function stateOf(seen: ObservedCluster, failed: boolean): RayClusterStatus["state"] | undefined {
  const { cluster, pods } = seen;
  if (cluster.spec.suspend === true && pods.length === 0) return RayClusterState.suspended;
  if (!failed && pods.length === desiredWorkers(cluster) + 1 && everythingRuns(seen)) return RayClusterState.ready;
  return undefined;
}

function headOf(
  seen: ObservedCluster,
  stored: Partial<RayClusterStatus>,
): Pick<RayClusterStatus, "head" | "endpoints"> {
  const pod = headPodOf(seen);
  const service = headServiceOf(seen);
  const podPart = pod ? { podName: pod.metadata.name, ...(pod.podIP && { podIP: pod.podIP }) } : {};
  if (!service)
    return { head: { ...servicePart(stored), ...podPart }, ...(stored.endpoints && { endpoints: stored.endpoints }) };
  const serviceIP = service.clusterIP === "None" ? pod?.podIP : service.clusterIP;
  const endpoints = {
    ...stored.endpoints,
    ...Object.fromEntries(service.ports.map((port) => [port.name, port.target])),
  };
  return {
    head: { ...podPart, serviceName: service.metadata.name, ...(serviceIP && { serviceIP }) },
    ...(Object.keys(endpoints).length > 0 && { endpoints }),
  };
}

function servicePart({ head }: Partial<RayClusterStatus>) {
  return {
    ...(head?.serviceIP && { serviceIP: head.serviceIP }),
    ...(head?.serviceName && { serviceName: head.serviceName }),
  };
}

/** The head that serves or will; where two exist for a moment, the one that is ready. */
function headPodOf({ pods }: ObservedCluster): PodView | undefined {
  const heads = pods.filter(isHead);
  return heads.find(isRunningAndReady) ?? heads[0];
}

function conditions(seen: ObservedCluster, pass: Pass, failed: boolean, now: string): Condition[] {
  let list = conditionsOf(seen.cluster.status);
  const set = (type: string, value: Condition["status"], reason: string, message = "") => {
    list = withCondition(list, { type, status: value, reason, message }, now);
  };
  list = failureConditions(list, pass, now);
  const head = headReadiness(headPodOf(seen));
  set(Type.headPodReady, head.status, head.reason, head.message);

  const was = suspension(seen.cluster);
  const wanted = seen.cluster.spec.suspend === true;
  const done = was === "suspending" && seen.pods.length === 0;
  const provisioned = list.some((item) => item.type === Type.provisioned && item.status === "True");
  if (done) {
    set(Type.provisioned, "False", Reason.podsProvisioning, "RayCluster has been suspended");
  } else if (!provisioned && was !== "suspended") {
    if (!failed && seen.pods.length > desiredWorkers(seen.cluster) && everythingRuns(seen)) {
      set(Type.provisioned, "True", Reason.allPodsReadyFirstTime, "All Ray Pods are ready for the first time");
    } else {
      set(Type.provisioned, "False", Reason.podsProvisioning, "RayCluster Pods are being provisioned for first time");
    }
  }
  const suspended = done || (was === "suspended" && wanted);
  const suspending = (was === "suspending" && !done) || (was === "none" && wanted);
  set(Type.suspended, suspended ? "True" : "False", Reason.suspended);
  set(Type.suspending, suspending ? "True" : "False", Reason.suspending);
  return list;
}

/** `ReplicaFailure` for pods (KubeRay's), `Reconciled=False` for everything else; gone when a pass succeeds. */
function failureConditions(stored: Condition[], { outcomes, failure }: Pass, now: string): Condition[] {
  const failed = outcomes.filter((outcome) => outcome.result === "failed").filter(({ action }) => !action.optional);
  const ofPods = failed.find(({ action }) => action.failureTag !== undefined);
  const ofOthers = failed.find(({ action }) => action.failureTag === undefined);
  const tag = ofPods?.action.failureTag ?? "";
  const replicaFailure = ofPods && `${tag}\n${failureText(ofPods)}`;
  const other = ofOthers ? failureText(ofOthers) : failure;
  const reason = ofOthers?.action.onFailure?.("").reason ?? "FailedToReconcile";
  return setOrRemove(
    setOrRemove(stored, Type.replicaFailure, replicaFailure, { status: "True", reason: tag }, now),
    Type.reconciled,
    other,
    { status: "False", reason },
    now,
  );
}

function setOrRemove(
  list: Condition[],
  type: string,
  message: string | undefined,
  value: Pick<Condition, "status" | "reason">,
  now: string,
): Condition[] {
  return message === undefined ? withoutCondition(list, type) : withCondition(list, { type, ...value, message }, now);
}

function failureText({ action, message }: Extract<Outcome, { result: "failed" }>): string {
  return action.verb === "create" ? stableMessage(message, action.object) : message;
}

/** `HeadPodReady` as the head pod's Ready condition tells it, with the reason of the container that holds it up. */
function headReadiness(pod: PodView | undefined): Pick<Condition, "status" | "reason" | "message"> {
  if (!pod) return { status: "False", reason: Reason.headPodNotFound, message: "Head Pod not found" };
  if (!pod.ready) return { status: "False", reason: Reason.unknown, message: "" };
  const { message } = pod.ready;
  const ready = pod.ready.status as Condition["status"];
  if (pod.ready.reason === "ContainersNotReady" && pod.problem) {
    const { container, reason, message: cause } = pod.problem;
    return { status: ready, reason, message: `${message}${message && "; "}${container}: ${cause}` };
  }
  const withoutReason = ready === "True" ? Reason.headPodRunningAndReady : Reason.unknown;
  return { status: ready, reason: pod.ready.reason || withoutReason, message };
}

function conditionsOf(stored: Partial<RayClusterStatus> | undefined): Condition[] {
  return [...((stored?.conditions ?? []) as Condition[])];
}

/** Whether two statuses differ in anything but the time of their writing. */
export function differs(stored: RayClusterStatus | undefined, next: RayClusterStatus): boolean {
  const { lastUpdateTime: _a, ...a } = stored ?? {};
  const { lastUpdateTime: _b, ...b } = next;
  return canonical(a) !== canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(
          Object.entries(item)
            .filter(([, entry]) => entry !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : item,
  );
}

/** Until the cluster is provisioned the head's readiness moves with the counts: both are complete within a second. */
function onlyCountsMoved(stored: Partial<RayClusterStatus>, next: RayClusterStatus): boolean {
  if (stored.conditions === undefined || stored.state !== next.state) return false;
  if (stored.observedGeneration !== next.observedGeneration) return false;
  const provisioned = conditionsOf(next).some((item) => item.type === Type.provisioned && item.status === "True");
  const telling = (of: Partial<RayClusterStatus>) =>
    conditionsOf(of)
      .filter((item) => provisioned || item.type !== Type.headPodReady)
      .map(({ type, status: value, reason, message }) => [type, value, reason, message]);
  return canonical(telling(stored)) === canonical(telling(next));
}
