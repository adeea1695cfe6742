// Drives one reconciler: takes keys from its queue and runs observe, decide, apply, status for each.
import type { Applier, WriteSink } from "./apply.ts";
import type { Client } from "./client.ts";
import { type CreateAction, type Decision, needKey, type Outcome } from "./decision.ts";
import { isAborted, isConflict, isNotFound, isTransient, messageOf, NotLeaderError } from "./errors.ts";
import type { EventRecorder } from "./events.ts";
import { PRIORITY, WorkQueue } from "./queue.ts";
import {
  type DecideContext,
  drawSuffix,
  type ObjectKeyParts,
  partsOf,
  type ReadObjects,
  type Reconciler,
} from "./reconciler.ts";
import type { Source } from "./sources.ts";
import { writeStatus } from "./status-writer.ts";
import { type Clock, systemClock } from "./time.ts";
import type { KubeObject, Logger, ObjectReference } from "./types.ts";

export interface ControllerOptions<Seen, Status> {
  readonly reconciler: Reconciler<Seen, Status>;
  readonly sources: readonly Source[];
  readonly client: Client;
  readonly applier: Applier;
  readonly sink: WriteSink;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly queue?: WorkQueue;
  /** Keys worked on at once. Default 32. */
  readonly concurrency?: number;
  /** How long an object read for `needs` is believed, milliseconds. Default 300,000. */
  readonly readsLastMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly observer?: ReconcileObserver | undefined;
}

export type ReconcileResult = "success" | "error" | "requeue" | "requeue_after";

/** For the `controller_runtime_*` metrics (reference: operator.md 15.4). */
export interface ReconcileObserver {
  started?(): void;
  ended?(result: ReconcileResult, seconds: number): void;
  /** A reconcile threw something that is no answer of the API server: a bug. */
  panicked?(): void;
}

/** What is kept of a key between its passes. */
interface KeyState {
  reads: Map<string, { readonly object: KubeObject; readonly until: number }>;
  unknown: CreateAction[];
  statusWaitsSince: number | undefined;
  /** Status writes in a row that met a newer object. */
  conflicts: number;
}

/** One pass's way to its decision. */
interface Decided<Seen> {
  readonly seen: Seen;
  readonly decision: Decision;
  readonly context: DecideContext;
}

type Result =
  | { readonly kind: "done"; readonly requeueAfterMs?: number | undefined }
  | { readonly kind: "again" }
  | { readonly kind: "failed" };

const DECIDE_ROUNDS = 3;
/** Longest uninterrupted run of passes, so that sockets and the lease get their turn. */
const SLICE_MS = 10;
/** Delays from here on are spread by 10 % either way, so that objects created together do not stay together. */
const SPREAD_FROM_MS = 30_000;
/** More than that are no race with another writer, but a cache that does not move. */
const CONFLICTS_IN_A_ROW = 5;
const NO_READS: ReadObjects = new Map();

export class Controller<Seen = unknown, Status = unknown> {
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions<Seen, Status>;
  readonly #clock: Clock;
  readonly #states = new Map<string, KeyState>();
  readonly #unsubscribe: (() => void)[];
  readonly #signal: AbortSignal;
  readonly #working = new Set<Promise<void>>();
  #started = false;
  #stopped = false;
  #pumping = false;
  #passes = 0;

  /** Subscribes to its sources at once; work begins with `start`. When `signal` is aborted, calls in flight are too. */
  constructor(options: ControllerOptions<Seen, Status>, signal: AbortSignal) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#signal = signal;
    this.queue = options.queue ?? new WorkQueue({ clock: this.#clock });
    this.queue.onReady(() => this.#pump());
    this.#unsubscribe = options.sources.map((source) => source((key, priority) => this.queue.add(key, priority)));
  }

  get name(): string {
    return this.#options.reconciler.name;
  }

  /** Number of keys that are worked on now. */
  get active(): number {
    return this.#working.size;
  }

  start(): void {
    this.#started = true;
    this.#pump();
  }

  /** Takes no more keys, and resolves when what is worked on has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.queue.stop();
    await Promise.all(this.#working);
  }

  #pump(): void {
    if (this.#pumping || !this.#started || this.#stopped) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#fill();
    });
  }

  #fill(): void {
    const { concurrency = 32 } = this.#options;
    const until = performance.now() + SLICE_MS;
    while (this.#working.size < concurrency && !this.#stopped) {
      const key = this.queue.take();
      if (key === undefined) return;
      const work = this.#work(key).finally(() => {
        this.#working.delete(work);
        this.#pump();
      });
      this.#working.add(work);
      if (performance.now() > until) {
        this.#pump();
        return;
      }
    }
  }

  /** Never rejects. */
  async #work(key: string): Promise<void> {
    const { observer } = this.#options;
    const startedAt = performance.now();
    observer?.started?.();
    let result: Result;
    try {
      result = await this.#pass(key);
    } catch (error) {
      result = this.#failure(key, error);
    }
    this.#conclude(key, result);
    this.queue.done(key);
    observer?.ended?.(metricResult(result), (performance.now() - startedAt) / 1000);
  }

  #conclude(key: string, result: Result): void {
    switch (result.kind) {
      case "failed":
        if (!this.#signal.aborted) this.queue.retry(key);
        return;
      case "again":
        this.queue.add(key);
        return;
      case "done":
        this.queue.forget(key);
        if (result.requeueAfterMs === 0) {
          this.queue.add(key);
        } else if (result.requeueAfterMs !== undefined) {
          this.queue.addAfter(key, this.#spread(result.requeueAfterMs), requeuePriority(result.requeueAfterMs));
        }
    }
  }

  async #pass(key: string): Promise<Result> {
    const parts = partsOf(key);
    const log = this.#passLog(parts);
    await this.#settleUnknown(key);
    const decided = await this.#decide(key, parts);
    if (!decided) return this.#gone(key, parts);
    const { seen, decision } = decided;
    const object = this.#options.reconciler.object(seen);
    for (const event of decision.events ?? []) this.#options.events.emit(object, event);
    if (decision.ignore !== undefined) {
      log.debug("left alone", { reason: decision.ignore });
      return { kind: "done", requeueAfterMs: decision.requeueAfterMs };
    }
    const outcomes = await this.#apply(key, decision, object, log);
    const statusAfterMs = await this.#status(key, decided, outcomes);
    if (statusAfterMs === "again") return { kind: "again" };
    if (decision.failure !== undefined) {
      log.warn("reconcile failed, trying again", { error: decision.failure });
      return { kind: "failed" };
    }
    if (outcomes.some((outcome) => outcome.result === "failed" && !outcome.action.optional)) return { kind: "failed" };
    return { kind: "done", requeueAfterMs: earliest(decision.requeueAfterMs, statusAfterMs) };
  }

  /** Finishes creates whose answer was lost, before anything is decided that could take them for missing. */
  async #settleUnknown(key: string): Promise<void> {
    const state = this.#states.get(key);
    if (!state || state.unknown.length === 0) return;
    const { applier } = this.#options;
    const open = state.unknown;
    const settled = await Promise.all(open.map((action) => applier.settle(action, key, this.#signal)));
    state.unknown = open.filter((_action, i) => !settled[i]);
    const first = state.unknown[0];
    if (first) throw new UnsettledError(first);
  }

  /** Asks for a decision until everything it needs has been read; undefined: the object is gone. */
  async #decide(key: string, parts: ObjectKeyParts): Promise<Decided<Seen> | undefined> {
    const { reconciler } = this.#options;
    let reads = this.#keptReads(key);
    for (let round = 1; ; round++) {
      const seen = reconciler.observe(parts, reads);
      if (seen === undefined) return undefined;
      const context = { now: this.#clock.now(), drawSuffix: () => drawSuffix(this.#options.random) };
      const decision = reconciler.decide(seen, context);
      const missing = decision.needs?.filter((need) => !reads.has(needKey(need))) ?? [];
      if (missing.length === 0) return { seen, decision, context };
      if (round === DECIDE_ROUNDS) {
        throw new Error(`no decision after ${round} rounds, still needed: ${missing.map(needKey).join(", ")}`);
      }
      reads = await this.#read(key, missing, reads);
    }
  }

  #keptReads(key: string): ReadObjects {
    const kept = this.#states.get(key)?.reads;
    if (!kept || kept.size === 0) return NO_READS;
    const now = this.#clock.monotonic();
    const reads = new Map<string, KubeObject>();
    for (const [need, { object, until }] of kept) {
      if (now < until) reads.set(need, object);
      else kept.delete(need);
    }
    return reads;
  }

  /** Reads what is missing. What exists is kept for later passes too; what is absent only counts for this one. */
  async #read(key: string, missing: readonly ObjectReference[], known: ReadObjects): Promise<ReadObjects> {
    const { applier, readsLastMs = 300_000 } = this.#options;
    const objects = await Promise.all(missing.map((need) => applier.read(need, key, this.#signal)));
    const reads = new Map(known);
    const until = this.#clock.monotonic() + this.#spread(readsLastMs);
    for (const [i, need] of missing.entries()) {
      const object = objects[i] ?? null;
      reads.set(needKey(need), object);
      if (object) this.#state(key).reads.set(needKey(need), { object, until });
    }
    return reads;
  }

  async #apply(key: string, decision: Decision, object: KubeObject, log: Logger): Promise<readonly Outcome[]> {
    if (decision.actions.length === 0) return [];
    const { applier, events } = this.#options;
    const { outcomes, unknown } = await applier.apply(decision.actions, key, this.#signal);
    if (unknown.length > 0) this.#state(key).unknown = unknown;
    for (const outcome of outcomes) {
      logOutcome(log, outcome);
      this.#refreshReads(key, outcome);
      const { action } = outcome;
      if (outcome.result === "done" && action.onSuccess) events.emit(object, action.onSuccess);
      if (outcome.result === "failed" && action.onFailure) events.emit(object, action.onFailure(outcome.message));
    }
    return outcomes;
  }

  /** What we have just written ourselves is not to be believed in its old form. */
  #refreshReads(key: string, { action }: Outcome): void {
    const reads = this.#states.get(key)?.reads;
    if (!reads || reads.size === 0) return;
    const { namespace, name } = action.verb === "create" ? action.object.metadata : action;
    reads.delete(needKey({ type: action.type, namespace, name }));
  }

  /** Milliseconds after which the status is to be looked at again, if it waits. */
  async #status(
    key: string,
    { seen, decision, context }: Decided<Seen>,
    outcomes: readonly Outcome[],
  ): Promise<number | "again" | undefined> {
    const { reconciler, client, sink } = this.#options;
    const computed = reconciler.status(seen, outcomes, decision, context);
    const state = this.#states.get(key) ?? newState();
    if (computed === undefined) {
      state.statusWaitsSince = undefined;
      return undefined;
    }
    try {
      const now = this.#clock.monotonic();
      const written = await writeStatus(client, reconciler, seen, outcomes, computed, state, now, this.#signal);
      switch (written.result) {
        case "unchanged":
          return undefined;
        case "outdated":
          return "again";
        case "waiting":
          this.#states.set(key, state);
          return written.forMs;
        case "written":
          state.conflicts = 0;
          sink.written(reconciler.primary, written.object);
          return undefined;
      }
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!isConflict(error) || ++this.#state(key).conflicts > CONFLICTS_IN_A_ROW) throw error;
      return this.#lookAgain(seen);
    }
  }

  /** The object has changed and the watch has not said so yet: its newest state comes by a read, not by waiting. */
  async #lookAgain(seen: Seen): Promise<"again"> {
    const { reconciler, client, sink } = this.#options;
    const { namespace, name, uid } = reconciler.object(seen).metadata;
    try {
      const current = await client.get<KubeObject>(
        { type: reconciler.primary, namespace, name },
        { signal: this.#signal },
      );
      sink.written(reconciler.primary, current);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (uid && namespace !== undefined) sink.gone(reconciler.primary, { namespace, name, uid });
    }
    return "again";
  }

  #gone(key: string, parts: ObjectKeyParts): Result {
    this.#states.delete(key);
    this.#options.reconciler.gone?.(parts);
    return { kind: "done" };
  }

  /** An exception concerns its key alone: a log line, an event, a metric, and the key's own back-off. */
  #failure(key: string, error: unknown): Result {
    if (this.#signal.aborted || isAborted(error) || error instanceof NotLeaderError) return { kind: "failed" };
    const parts = partsOf(key);
    const log = this.#passLog(parts);
    if (isTransient(error) || error instanceof UnsettledError) {
      log.warn("reconcile failed, trying again", { error: messageOf(error) });
      return { kind: "failed" };
    }
    const bug = !(error instanceof Error && error.name === "ApiError");
    if (bug) this.#options.observer?.panicked?.();
    log.error("reconcile failed", {
      error: messageOf(error),
      ...(bug && error instanceof Error && { stacktrace: error.stack }),
    });
    this.#failureEvent(key, parts, error);
    return { kind: "failed" };
  }

  #failureEvent(key: string, parts: ObjectKeyParts, error: unknown): void {
    const { reconciler, events } = this.#options;
    try {
      const seen = reconciler.observe(parts, this.#keptReads(key));
      if (seen === undefined) return;
      const note = `Failed to reconcile: ${messageOf(error)}`;
      events.emit(reconciler.object(seen), { type: "Warning", reason: "FailedReconcile", action: "Reconcile", note });
    } catch {
      // Where observing itself is what fails, the log line has to do.
    }
  }

  #state(key: string): KeyState {
    let state = this.#states.get(key);
    if (!state) {
      state = newState();
      this.#states.set(key, state);
    }
    return state;
  }

  #passLog({ namespace, name }: ObjectKeyParts): Logger {
    const { log, reconciler } = this.#options;
    return log.child("", { [reconciler.primary.kind]: { namespace, name }, reconcileID: ++this.#passes });
  }

  #spread(ms: number): number {
    if (ms < SPREAD_FROM_MS) return ms;
    return ms * (0.9 + (this.#options.random ?? Math.random)() / 5);
  }
}

/** A create whose outcome could still not be found out. */
class UnsettledError extends Error {
  constructor({ type, object }: CreateAction) {
    super(`it is not known yet whether ${type.kind} ${object.metadata.name} was created`);
  }
}

function newState(): KeyState {
  return { reads: new Map(), unknown: [], statusWaitsSince: undefined, conflicts: 0 };
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function requeuePriority(delayMs: number): number {
  return delayMs < SPREAD_FROM_MS ? PRIORITY.normal : PRIORITY.background;
}

function metricResult(result: Result): ReconcileResult {
  if (result.kind === "failed") return "error";
  if (result.kind === "again") return "requeue";
  return result.requeueAfterMs === undefined ? "success" : "requeue_after";
}

const DONE = { create: "created", delete: "deleted", patch: "patched" } as const;

function logOutcome(log: Logger, outcome: Outcome): void {
  const { action } = outcome;
  const name = action.verb === "create" ? action.object.metadata.name : action.name;
  const fields = { kind: action.type.kind, name, reason: action.reason };
  switch (outcome.result) {
    case "done":
      log.info(DONE[action.verb], fields);
      return;
    case "failed":
      log.warn(`${action.verb} failed`, { ...fields, error: outcome.message });
      return;
    case "skipped":
      log.debug(`${action.verb} skipped`, fields);
  }
}
