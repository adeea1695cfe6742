// Drives one reconciler: takes keys from its queue, runs a pass for each, and decides from how it ended when the key is
// looked at again.
import type { Applier, WriteSink } from "./apply.ts";
import type { KubeClient } from "./client.ts";
import { ApiError, isAborted, isTransient, messageOf, NotLeaderError } from "./errors.ts";
import type { EventRecorder } from "./events.ts";
import { NO_READS } from "./needed-reads.ts";
import {
  type KeyState,
  logFields,
  newKeyState,
  type PassDependencies,
  type PassResult,
  runPass,
  UnsettledError,
} from "./pass.ts";
import { PRIORITY, WorkQueue } from "./queue.ts";
import { partsOf, type Reconciler } from "./reconciler.ts";
import type { Source } from "./sources.ts";
import { type Clock, systemClock } from "./time.ts";
import type { Logger } from "./types.ts";

export interface ControllerOptions<Seen, Status> {
  readonly reconciler: Reconciler<Seen, Status>;
  readonly sources: readonly Source[];
  readonly client: KubeClient;
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
  ended?(result: ReconcileResult, seconds: number): void;
  /** A reconcile threw something that is no answer of the API server: a bug. */
  panicked?(): void;
}

/** Longest uninterrupted run of passes, so that sockets and the lease get their turn. */
const SLICE_MS = 10;
/** Delays from here on are spread by 10 % either way, so that objects created together do not stay together. */
const SPREAD_FROM_MS = 30_000;

export class Controller<Seen = unknown, Status = unknown> {
  readonly name: string;
  readonly queue: WorkQueue;
  readonly #concurrency: number;
  readonly #observer: ReconcileObserver | undefined;
  readonly #deps: PassDependencies<Seen, Status>;
  readonly #states = new Map<string, KeyState>();
  readonly #unsubscribe: (() => void)[];
  readonly #working = new Set<Promise<void>>();
  #started = false;
  #stopped = false;
  #pumping = false;

  /** Subscribes to its sources at once; work begins with `start`. When `signal` is aborted, calls in flight are too. */
  constructor(options: ControllerOptions<Seen, Status>, signal: AbortSignal) {
    const { reconciler, clock = systemClock, random = Math.random, readsLastMs = 300_000 } = options;
    const { client, applier, sink, events, log } = options;
    this.name = reconciler.name;
    this.#concurrency = options.concurrency ?? 32;
    this.#observer = options.observer;
    this.#deps = { reconciler, client, applier, sink, events, log, clock, random, readsLastMs, signal };
    this.queue = options.queue ?? new WorkQueue({ clock, random });
    this.queue.onReady(() => this.#pump());
    this.#unsubscribe = options.sources.map((source) => source((key, priority) => this.queue.add(key, priority)));
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
    const until = performance.now() + SLICE_MS;
    while (this.#working.size < this.#concurrency && !this.#stopped) {
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
    const startedAt = performance.now();
    const state = this.#states.get(key) ?? newKeyState();
    this.#states.set(key, state);
    let result: PassResult;
    try {
      result = await runPass(this.#deps, key, state);
    } catch (error) {
      this.#report(key, state, error);
      result = { kind: "failed" };
    }
    state.failed = result.kind === "failed";
    this.#conclude(key, result);
    this.queue.done(key);
    this.#observer?.ended?.(metricResult(result), (performance.now() - startedAt) / 1000);
  }

  #conclude(key: string, result: PassResult): void {
    switch (result.kind) {
      case "failed":
        if (!this.#deps.signal.aborted) this.queue.retry(key);
        return;
      case "again":
        this.queue.add(key);
        return;
      case "gone":
        this.#states.delete(key);
        this.queue.forget(key);
        return;
      case "done":
        this.queue.forget(key);
        if (result.requeueAfterMs !== undefined) this.#later(key, result.requeueAfterMs);
    }
  }

  #later(key: string, delayMs: number): void {
    if (delayMs <= 0) this.queue.add(key);
    else if (delayMs < SPREAD_FROM_MS) this.queue.addAfter(key, delayMs);
    else this.queue.addAfter(key, delayMs * (0.9 + this.#deps.random() / 5), PRIORITY.background);
  }

  /** An exception concerns its key alone: a log line, an event, a metric, and the key's own back-off. */
  #report(key: string, state: KeyState, error: unknown): void {
    const { reconciler, log, signal } = this.#deps;
    if (signal.aborted || isAborted(error) || error instanceof NotLeaderError) return;
    const fields = { ...logFields(reconciler, partsOf(key)), error: messageOf(error) };
    if (isTransient(error) || error instanceof UnsettledError) {
      log.warn("reconcile failed, trying again", fields);
      return;
    }
    if (error instanceof ApiError) {
      log.error("reconcile failed", fields);
    } else {
      this.#observer?.panicked?.();
      log.error("reconcile threw", { ...fields, stacktrace: error instanceof Error ? error.stack : undefined });
    }
    this.#emitFailure(key, state, error);
  }

  #emitFailure(key: string, state: KeyState, error: unknown): void {
    const { reconciler, events } = this.#deps;
    try {
      const seen = reconciler.observe(partsOf(key), state.reads?.current() ?? NO_READS);
      if (seen === undefined) return;
      const note = `Failed to reconcile: ${messageOf(error)}`;
      events.emit(reconciler.object(seen), { type: "Warning", reason: "FailedReconcile", action: "Reconcile", note });
    } catch {
      // Where observing itself is what fails, the log line has to do.
    }
  }
}

function metricResult(result: PassResult): ReconcileResult {
  if (result.kind === "failed") return "error";
  if (result.kind === "again") return "requeue";
  return result.kind === "done" && result.requeueAfterMs !== undefined ? "requeue_after" : "success";
}
