// Does what a decision asks for: all the writes of one pass.
//
// Waves run one after the other, the actions of a wave side by side, bounded by a limiter that all objects share. The
// actions of a batch start in growing portions (16, 32, 64, ...: each success makes room for two), so that a thousand
// creates that would all be refused cost sixteen refusals, and one at each later attempt.
import type { Identified } from "./cache.ts";
import type { KubeClient } from "./client.ts";
import type { Action, CreateAction, DeleteAction, Outcome, PatchAction } from "./decision.ts";
import {
  ApiError,
  isAborted,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isOutcomeUnknown,
  isTransient,
  messageOf,
  NotLeaderError,
} from "./errors.ts";
import type { Limiter } from "./limiter.ts";
import { backoffMs, type Clock, sleep } from "./time.ts";
import type { KubeObject, ObjectReference, ResourceType } from "./types.ts";

/** Where the results of writes go: the caches. */
export interface WriteSink {
  /** The answer of a create or patch. */
  written(type: ResourceType, object: KubeObject): void;
  /** A delete was accepted; the object may still be there for a while. */
  deleting(type: ResourceType, object: Identified): void;
  /** The object with this UID is no more. */
  gone(type: ResourceType, object: Identified): void;
}

export interface ApplierOptions {
  readonly client: KubeClient;
  readonly limiter: Limiter;
  readonly sink: WriteSink;
  /** Attempts of one action in all, when the server is overloaded or unreachable. Default 4: about 2 s. */
  readonly attempts?: number;
  /** First pause between attempts, milliseconds. Default 100. */
  readonly retryMs?: number;
  readonly clock?: Clock;
}

export interface Applied {
  /** One for each action, in the same order. */
  readonly outcomes: Outcome[];
  /** Creates of which nobody knows whether they happened: see `UnknownCreates`. */
  readonly unknown: CreateAction[];
}

const FIRST_PORTION = 16;
const LONGEST_RETRY_MS = 5_000;

/** How one attempt at an action ended, when it did not throw. */
interface Done {
  readonly object?: KubeObject;
}

export class Applier {
  readonly #options: ApplierOptions;

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /**
   * Executes the actions for one owner (the key that is reconciled; the limiter shares by it). Rejects only when the
   * signal is aborted or the lease is lost; what the API server refuses is a `failed` outcome. `cautious`: the last
   * attempt failed, so each batch begins with a single action.
   */
  async apply(
    actions: readonly Action[],
    owner: string,
    signal?: AbortSignal,
    { cautious = false } = {},
  ): Promise<Applied> {
    const firstPortion = cautious ? 1 : FIRST_PORTION;
    const outcomes = new Map<Action, Outcome>();
    const unknown: CreateAction[] = [];
    let stopped = false;
    for (const wave of wavesOf(actions)) {
      if (stopped) break;
      const results = await Promise.all(
        batchesOf(wave).map((batch) => this.#batch(batch, owner, signal, unknown, firstPortion)),
      );
      for (const outcome of results.flat()) {
        outcomes.set(outcome.action, outcome);
        if (outcome.result !== "done" && !outcome.action.optional) stopped = true;
      }
    }
    return { outcomes: actions.map((action) => outcomes.get(action) ?? { action, result: "skipped" }), unknown };
  }

  /** Does one create again under the same name. `unknown`: a request of this attempt may still be under way. */
  async repeat(
    action: CreateAction,
    owner: string,
    signal?: AbortSignal,
  ): Promise<{ readonly done: boolean; readonly unknown: boolean }> {
    const { outcome, unknown } = await this.#run(action, owner, signal);
    return { done: outcome.result === "done", unknown };
  }

  /** Reads one object through the same limiter; null: there is none. */
  read(reference: ObjectReference, owner: string, signal?: AbortSignal): Promise<KubeObject | null> {
    return this.#options.limiter.run(owner, async () => {
      try {
        return await this.#options.client.get<KubeObject>(reference, { signal });
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    });
  }

  /** An object that turned out to exist enters the caches. */
  adopt(type: ResourceType, object: KubeObject): void {
    this.#options.sink.written(type, object);
  }

  /** Runs one batch in growing portions, or all at once what belongs to none. */
  async #batch(
    actions: readonly Action[],
    owner: string,
    signal: AbortSignal | undefined,
    unknown: CreateAction[],
    firstPortion: number,
  ): Promise<Outcome[]> {
    const grows = actions[0]?.batch !== undefined;
    const outcomes: Outcome[] = [];
    let next = 0;
    let succeeded = 0;
    let failed = false;
    let thrown: { readonly error: unknown } | undefined;
    const work = async (): Promise<void> => {
      while (next < actions.length && !(grows && failed) && !thrown) {
        const action = actions[next++] as Action;
        const { outcome, unknown: lost } = await this.#run(action, owner, signal, () => grows && failed);
        outcomes.push(outcome);
        if (lost && action.verb === "create") unknown.push(action);
        if (outcome.result !== "done") failed = true;
        // Each success makes room for two: its own place and one more.
        else if (grows && ++succeeded + firstPortion <= actions.length) startWorker();
      }
    };
    const workers: Promise<void>[] = [];
    const startWorker = () => {
      workers.push(
        work().catch((error: unknown) => {
          thrown ??= { error };
        }),
      );
    };
    for (let i = 0; i < (grows ? firstPortion : actions.length); i++) startWorker();
    for (let i = 0; i < workers.length; i++) await workers[i];
    if (thrown) throw thrown.error;
    return outcomes;
  }

  /**
   * Does one action, with attempts; `cancelled` is asked when its turn has come. `unknown`: it failed, but one of the
   * attempts may have been carried out, whatever the later ones were told (a quota refuses a second pod that is there).
   */
  async #run(
    action: Action,
    owner: string,
    signal: AbortSignal | undefined,
    cancelled: () => boolean = () => false,
  ): Promise<{ outcome: Outcome; unknown: boolean }> {
    const { attempts = 4, retryMs = 100 } = this.#options;
    let unknown = false;
    for (let attempt = 1; ; attempt++) {
      try {
        const done = await this.#options.limiter.run(owner, async () =>
          // What has been tried once must be seen through: it may have happened.
          attempt === 1 && cancelled() ? undefined : this.#attempt(action, signal),
        );
        if (!done) return { outcome: { action, result: "skipped" }, unknown: false };
        return { outcome: { action, result: "done", ...done }, unknown: false };
      } catch (error) {
        if (isAborted(error) || error instanceof NotLeaderError || signal?.aborted) throw error;
        unknown ||= isOutcomeUnknown(error);
        if (attempt >= attempts || !isTransient(error)) return { outcome: failedOutcome(action, error), unknown };
      }
      await sleep(backoffMs(attempt - 1, retryMs, LONGEST_RETRY_MS), signal, this.#options.clock);
    }
  }

  #attempt(action: Action, signal: AbortSignal | undefined): Promise<Done> {
    switch (action.verb) {
      case "create":
        return this.#create(action, signal);
      case "delete":
        return this.#delete(action, signal);
      case "patch":
        return this.#patch(action, signal);
    }
  }

  async #create(action: CreateAction, signal: AbortSignal | undefined): Promise<Done> {
    const { client, sink } = this.#options;
    let object: KubeObject;
    try {
      object = await client.create(action.type, action.object, { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      object = await this.#existing(action, error, signal);
    }
    sink.written(action.type, object);
    return { object };
  }

  /** The object that already has the name, when it is ours; rethrows otherwise. */
  async #existing(action: CreateAction, error: ApiError, signal: AbortSignal | undefined): Promise<KubeObject> {
    const { namespace, name } = action.object.metadata;
    const existing = await this.#options.client
      .get<KubeObject>({ type: action.type, namespace, name }, { signal })
      .catch((readError: unknown) => {
        // Deleted in between: as if it had just been refused for a passing reason.
        throw isNotFound(readError) ? new ApiError(503, { message: error.message, reason: error.reason }) : readError;
      });
    if (action.adoptExisting || sameController(existing, action.object)) return existing;
    throw error;
  }

  async #delete(action: DeleteAction, signal: AbortSignal | undefined): Promise<Done> {
    const { client, sink } = this.#options;
    const { type, namespace, name, uid } = action;
    try {
      const answer = await client.delete({ type, namespace, name }, { uid, signal });
      this.#deleted(action, answer as KubeObject);
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
      sink.gone(type, { namespace, name, uid });
    }
    return {};
  }

  // While something keeps the object (a grace period, a finalizer), the answer is the object, terminating; else it is
  // the object as it was last, or a Status.
  #deleted(action: DeleteAction, answer: KubeObject): void {
    const { sink } = this.#options;
    const { type, namespace, name, uid } = action;
    if (answer.metadata?.uid === uid && answer.metadata.deletionTimestamp !== undefined) {
      sink.written(type, answer);
      sink.deleting(type, { namespace, name, uid });
    } else {
      sink.gone(type, { namespace, name, uid });
    }
  }

  async #patch(action: PatchAction, signal: AbortSignal | undefined): Promise<Done> {
    const { client, sink } = this.#options;
    const { type, namespace, name } = action;
    const object = await client.patch<KubeObject>({ type, namespace, name }, action.patch, { type: "merge", signal });
    sink.written(type, object);
    return { object };
  }
}

/** Actions by wave, the earliest first, each in the order given. */
function wavesOf(actions: readonly Action[]): Action[][] {
  const waves = Map.groupBy(actions, (action) => action.wave);
  return [...waves].sort(([a], [b]) => a - b).map(([, wave]) => wave);
}

/** The actions of each batch together, and each action without a batch alone. */
function batchesOf(wave: readonly Action[]): Action[][] {
  return [...Map.groupBy(wave, (action) => action.batch ?? action).values()];
}

function failedOutcome(action: Action, error: unknown): Outcome {
  const code = error instanceof ApiError ? { code: error.code } : {};
  return { action, result: "failed", message: messageOf(error), ...code };
}

/** Whether both have the same controller, by UID. */
function sameController(a: KubeObject, b: KubeObject): boolean {
  const controller = (object: KubeObject) => object.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
  const uid = controller(b);
  return uid !== undefined && controller(a) === uid;
}
