import type { Applier } from "./apply.ts";
import { needKey, type Outcome } from "./decision.ts";
import type { ReadObjects } from "./reconciler.ts";
import type { Clock } from "./time.ts";
import type { KubeObject, ObjectReference } from "./types.ts";

/** When nothing was read. */
export const NO_READS: ReadObjects = new Map();

/**
 * The objects that the decisions about one key asked to read. What exists is believed for a while; what does not is
 * looked for again in every pass, because it is usually waited for.
 */
export class NeededReads {
  readonly #clock: Clock;
  readonly #kept = new Map<string, { readonly object: KubeObject; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What is still believed. */
  current(): ReadObjects {
    if (this.#kept.size === 0) return NO_READS;
    const now = this.#clock.monotonic();
    const reads = new Map<string, KubeObject>();
    for (const [key, { object, until }] of this.#kept) {
      if (now < until) reads.set(key, object);
      else this.#kept.delete(key);
    }
    return reads;
  }

  /** Reads `missing` and gives it together with what is `known` already. */
  async read(
    missing: readonly ObjectReference[],
    known: ReadObjects,
    lastsMs: number,
    applier: Applier,
    owner: string,
    signal: AbortSignal,
  ): Promise<ReadObjects> {
    const objects = await Promise.all(missing.map((need) => applier.read(need, owner, signal)));
    const reads = new Map(known);
    const until = this.#clock.monotonic() + lastsMs;
    for (const [i, need] of missing.entries()) {
      const object = objects[i] ?? null;
      reads.set(needKey(need), object);
      if (object) this.#kept.set(needKey(need), { object, until });
    }
    return reads;
  }

  /** What we have just written ourselves is no longer believed in its old form. */
  forget({ action }: Outcome): void {
    if (this.#kept.size === 0) return;
    const { namespace, name } = action.verb === "create" ? action.object.metadata : action;
    this.#kept.delete(needKey({ type: action.type, namespace, name }));
  }
}
