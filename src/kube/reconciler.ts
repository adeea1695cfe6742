// What a controller of one kind has to say; `controller.ts` does the rest: queue, writes, status, events, retries.
import type { Decision, Outcome, StatusResult } from "./decision.ts";
import type { KubeObject, ResourceType } from "./types.ts";

/** A queue key, taken apart. */
export interface ObjectKeyParts {
  /** Empty for objects without a namespace. */
  readonly namespace: string;
  readonly name: string;
}

/** What a decision may use besides what was observed. */
export interface DecideContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Five characters of Kubernetes' suffix alphabet, new at each call. */
  readonly drawSuffix: () => string;
}

/** Objects that a decision named in `needs`, by `needKey`; null: the API server has no such object. */
export type ReadObjects = ReadonlyMap<string, KubeObject | null>;

/**
 * One kind of object, reconciled as observe, decide, apply, status. All functions are synchronous, and `decide` and
 * `status` are pure.
 *
 * A create whose outcome is unknown (its answer was lost) is finished by the runtime, under the same name, before the
 * next `observe` of that key: a decision never sees a name that was given away but is not in the cache.
 */
export interface Reconciler<Seen, Status> {
  /** Name in metrics, logs and events, such as `raycluster`. */
  readonly name: string;
  readonly primary: ResourceType;
  /** Gathers what is known, from caches only; undefined: the object is gone. */
  observe(key: ObjectKeyParts, read: ReadObjects): Seen | undefined;
  /** The object that events regard and whose status is written, as it was observed. */
  object(seen: Seen): KubeObject;
  decide(seen: Seen, context: DecideContext): Decision;
  /** The status after `outcomes`; undefined: none is to be written. `seen` is from before the actions. */
  status(
    seen: Seen,
    outcomes: readonly Outcome[],
    decision: Decision,
    context: DecideContext,
  ): StatusResult<Status> | undefined;
  storedStatus(seen: Seen): Status | undefined;
  /** Whether `next` is worth a write. */
  differs(stored: Status | undefined, next: Status): boolean;
  /** After a successful write, for metrics. */
  statusWritten?(seen: Seen, stored: Status | undefined, written: Status): void;
  /** The object is gone: per-key state may be dropped. */
  gone?(key: ObjectKeyParts): void;
}

/** The queue key of an object: `namespace/name`. */
export function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}

export function partsOf(key: string): ObjectKeyParts {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Five characters as the API server draws them for `generateName`. */
export function drawSuffix(random: () => number = Math.random): string {
  let suffix = "";
  for (let i = 0; i < 5; i++) suffix += SUFFIX_ALPHABET[Math.floor(random() * SUFFIX_ALPHABET.length)];
  return suffix;
}
