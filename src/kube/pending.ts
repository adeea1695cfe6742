// Creates of which nobody knows whether they happened: the answer was lost, or the API server's storage did not answer
// it in time. A decision must not see such a name as missing, or it would make a second object under another name. So
// the runtime finds out what became of them before the next `observe` of their key; decisions never know.
import type { Applier } from "./apply.ts";
import type { CreateAction } from "./decision.ts";
import { type Clock, systemClock } from "./time.ts";

/**
 * After this long a create that is still not there never will be: the API server was told to give it up after 25 s
 * (`timeout` of the request), and etcd's own time-out is shorter than the rest.
 */
const CERTAIN_AFTER_MS = 40_000;
/** How long a create is sent again: an API server that restarts answers by then, and the wait still ends. */
const REPEAT_FOR_MS = 20_000;

interface Pending {
  readonly action: CreateAction;
  /** When it was last sent, monotonic milliseconds. */
  sentAt: number;
  /** Until when it is sent again. */
  readonly repeatUntil: number;
}

/** The creates with unknown outcome of one key. */
export class UnknownCreates {
  readonly #clock: Clock;
  #pending: Pending[];

  constructor(actions: readonly CreateAction[], clock: Clock = systemClock) {
    this.#clock = clock;
    const sentAt = clock.monotonic();
    this.#pending = actions.map((action) => ({ action, sentAt, repeatUntil: sentAt + REPEAT_FOR_MS }));
  }

  /** Names that are not settled yet, for messages. */
  get names(): string[] {
    return this.#pending.map(({ action }) => `${action.type.kind} ${action.object.metadata.name}`);
  }

  /**
   * Tries to find out; true when nothing is left unknown. What exists is in the caches then. Each create is repeated
   * under the same name, which settles nearly all as soon as the API server answers; what that leaves open is read until
   * it is there or cannot come any more, so that the wait ends.
   */
  async settle(applier: Applier, owner: string, signal: AbortSignal): Promise<boolean> {
    const settled = await Promise.all(this.#pending.map((pending) => this.#settleOne(pending, applier, owner, signal)));
    this.#pending = this.#pending.filter((_pending, i) => !settled[i]);
    return this.#pending.length === 0;
  }

  async #settleOne(pending: Pending, applier: Applier, owner: string, signal: AbortSignal): Promise<boolean> {
    const { action } = pending;
    if (this.#clock.monotonic() < pending.repeatUntil) {
      const { done, unknown } = await applier.repeat(action, owner, signal);
      if (done) return true;
      if (unknown) pending.sentAt = this.#clock.monotonic();
    }
    const { namespace, name } = action.object.metadata;
    const object = await applier.read({ type: action.type, namespace, name }, owner, signal);
    if (object) applier.adopt(action.type, object);
    return object !== null || this.#clock.monotonic() - pending.sentAt >= CERTAIN_AFTER_MS;
  }
}
