// What the rules of a RayCluster have in common.
import type { RayClusterConditionReason } from "../../../api/v1/conditions.ts";
import type { Service } from "../../../api/v1/kubernetes.ts";
import type { CreateAction, Decision, DeleteAction, EventSpec } from "../../../src/kube/decision.ts";
import type { KubeObject, ResourceType } from "../../../src/kube/types.ts";
import { pods, services } from "../../shared/resources.ts";
import type { Settings } from "../../shared/settings.ts";
import { namespaceOf, type ObservedCluster } from "../observed.ts";
import type { PodView } from "../views.ts";

/** Reads the clock and draws name suffixes for a rule, so that the rule itself stays pure. */
export interface RuleContext {
  readonly now: number;
  readonly drawSuffix: () => string;
  /** A new authentication token: 32 random bytes in base64. */
  readonly drawToken: () => string;
  readonly settings: Settings;
}

/** One aspect of a RayCluster: what has to be done about it now. */
export type Rule = (seen: ObservedCluster, context: RuleContext) => Partial<Decision>;

/** The waves of `apply`: accounts, roles and services, what binds them, then deletions and the head, then the workers. */
export const Wave = { dependencies: 0, bindings: 1, head: 2, workers: 3 } as const;

export function normal(reason: string, action: string, note: string): EventSpec {
  return { type: "Normal", reason, action, note };
}

export function warning(reason: string, action: string, note: string): EventSpec {
  return { type: "Warning", reason, action, note };
}

/** The text of an API error with the drawn part of the object's name taken out: the same on every retry. */
export function stableMessage(message: string, object: KubeObject): string {
  return message.replaceAll(object.metadata.name, stableName(object));
}

/** Names an object that is about to be created: the prefix where its name is drawn anew with every try. */
export function displayName(object: KubeObject): string {
  return `${object.metadata.namespace ?? ""}/${stableName(object)}`;
}

/** Every pod has a prefix, but not every name is drawn: the head's may be fixed by its template. */
function stableName({ metadata: { name, generateName } }: KubeObject): string {
  return generateName !== undefined && name.startsWith(generateName) ? generateName : name;
}

/** A creation with the events `Created<what>` and `FailedToCreate<what>`. */
export function createObject(
  type: ResourceType,
  object: KubeObject,
  what: string,
  text: { readonly created: string; readonly failed: (message: string) => string; readonly reason: string },
): CreateAction {
  return {
    verb: "create",
    type,
    object,
    wave: Wave.dependencies,
    reason: text.reason,
    onSuccess: normal(`Created${what}`, "Create", text.created),
    onFailure: (message) => warning(`FailedToCreate${what}`, "Create", text.failed(stableMessage(message, object))),
  };
}

export function createService(service: Service, reason: string): CreateAction {
  const name = `${service.metadata.namespace}/${service.metadata.name}`;
  return createObject(services, service, "Service", {
    created: `Created service ${name}`,
    failed: (message) => `Failed creating service ${name}, ${message}`,
    reason,
  });
}

/** Deletes one pod, with the events `Deleted<kind>Pod` (unless silent) and `FailedToDelete<kind>Pod`. */
export function deletePod(
  seen: ObservedCluster,
  pod: PodView,
  what: {
    readonly kind: "HeadPod" | "WorkerPod" | "Pod";
    readonly tag: RayClusterConditionReason;
    readonly reason: string;
    /** The note of the event; none: the deletion is told by an event of its own. */
    readonly note?: string;
  },
): DeleteAction {
  const namespace = namespaceOf(seen.cluster);
  const { name, uid } = pod.metadata;
  return {
    verb: "delete",
    type: pods,
    namespace,
    name,
    uid: uid ?? "",
    wave: what.kind === "WorkerPod" ? Wave.workers : Wave.head,
    reason: what.reason,
    failureTag: what.tag,
    ...(what.note !== undefined && { onSuccess: normal(`Deleted${what.kind}`, "Delete", what.note) }),
    onFailure: (message) =>
      warning(`FailedToDelete${what.kind}`, "Delete", `Failed to delete Pod ${namespace}/${name}, ${message}`),
  };
}
