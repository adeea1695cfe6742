// What a pure `decide` returns and what `apply` does with it. Decisions import this file, so nothing here may touch
// the world.
import type { KubeObject, ObjectReference, ResourceType } from "./types.ts";

/** One line for `kubectl describe`: an events.k8s.io/v1 event about the reconciled object. `note` is cut at 1,024 bytes. */
export interface EventSpec {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

interface ActionBase {
  /**
   * Actions of one wave run in parallel; a later wave starts when the earlier one is through, and does not start
   * when one of its actions failed (unless that action is `optional`).
   */
  readonly wave: number;
  /** Why, in one sentence without a final full stop: the log line, `plan` and `explain` print it. */
  readonly reason: string;
  readonly type: ResourceType;
  readonly onSuccess?: EventSpec;
  /** The event for a failure; `message` is the API server's own text. */
  readonly onFailure?: (message: string) => EventSpec;
  /** Handed through to the status function, which turns it into a condition's reason. */
  readonly failureTag?: string;
  /** A failure neither stops later waves nor fails the reconcile. */
  readonly optional?: boolean;
  /** Actions of one batch are tried in growing portions, and the rest is left when a portion had a failure. */
  readonly batch?: string;
}

/** Creates `object`, whose name was chosen beforehand; "already exists" under our owner UID counts as done. */
export interface CreateAction extends ActionBase {
  readonly verb: "create";
  readonly object: KubeObject;
  /** An object of that name which is not ours also counts as done. */
  readonly adoptExisting?: boolean;
}

/** Deletes one object, only while it has this UID; "not found" and "another UID" count as done. */
export interface DeleteAction extends ActionBase {
  readonly verb: "delete";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** A JSON merge patch (RFC 7386) of one object. */
export interface PatchAction extends ActionBase {
  readonly verb: "patch";
  readonly namespace: string;
  readonly name: string;
  readonly patch: object;
}

export type Action = CreateAction | DeleteAction | PatchAction;

/** How one action ended. `skipped`: an earlier wave or portion failed, so it was not tried. */
export type Outcome =
  | { readonly action: Action; readonly result: "done"; readonly object?: KubeObject }
  | { readonly action: Action; readonly result: "failed"; readonly message: string; readonly code?: number }
  | { readonly action: Action; readonly result: "skipped" };

/** The answer of a pure decision. */
export interface Decision {
  readonly actions: readonly Action[];
  /** Events that do not hang on an action. */
  readonly events?: readonly EventSpec[];
  /** Look again after this many milliseconds even if nothing happens; 0: at once, for the next step of a sequence. */
  readonly requeueAfterMs?: number;
  /** What could not be decided without reading it first: the runtime reads these and asks again. */
  readonly needs?: readonly ObjectReference[];
  /** The object is left alone, for this reason: nothing is applied, no status is computed or written. */
  readonly ignore?: string;
  /** The pass failed for this reason although no action did: it is retried with back-off. */
  readonly failure?: string;
}

/** The key of an object in the map of what was read for `needs`; `null` there means "does not exist". */
export function needKey(reference: ObjectReference): string {
  return `${reference.type.apiVersion}/${reference.type.plural}/${reference.namespace ?? ""}/${reference.name}`;
}

/** A computed status. `mayWait`: only counts moved, so the write may be merged with later ones for up to a second. */
export interface StatusResult<Status> {
  readonly status: Status;
  readonly mayWait: boolean;
}
