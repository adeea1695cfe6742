// One pass over one key: observe, decide (until everything needed is read), apply, status.
import type { Applier, WriteSink } from "./apply.ts";
import type { KubeClient } from "./client.ts";
import { type Decision, needKey, type Outcome } from "./decision.ts";
import { isConflict, isNotFound } from "./errors.ts";
import type { EventRecorder } from "./events.ts";
import { NeededReads, NO_READS } from "./needed-reads.ts";
import { UnknownCreates } from "./pending.ts";
import { type DecideContext, drawSuffix, type ObjectKeyParts, partsOf, type Reconciler } from "./reconciler.ts";
import { writeStatus } from "./status-writer.ts";
import type { Clock } from "./time.ts";
import type { KubeObject, Logger } from "./types.ts";

/** What passes of one controller share. */
export interface PassDependencies<Seen, Status> {
  readonly reconciler: Reconciler<Seen, Status>;
  readonly client: KubeClient;
  readonly applier: Applier;
  readonly sink: WriteSink;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long an object read for `needs` is believed, milliseconds. */
  readonly readsLastMs: number;
  readonly signal: AbortSignal;
}

/** What is kept of a key between its passes. */
export interface KeyState {
  reads: NeededReads | undefined;
  unknown: UnknownCreates | undefined;
  /** Since when a status difference waits to be written, monotonic milliseconds. */
  statusWaitsSince: number | undefined;
  /** Status writes in a row that met a newer object. */
  conflicts: number;
  /** The last pass failed. */
  failed: boolean;
}

/** How a pass ended, when it did not throw. */
export type PassResult =
  | { readonly kind: "done"; readonly requeueAfterMs: number | undefined }
  /** The object has changed under the pass: look again at once. */
  | { readonly kind: "again" }
  /** An action failed or the decision says that the pass did; it was reported. */
  | { readonly kind: "failed" }
  | { readonly kind: "gone" };

/** It is not known yet whether objects were created, so nothing can be decided. */
export class UnsettledError extends Error {
  override readonly name = "UnsettledError";
}

const DECIDE_ROUNDS = 3;
/** More than that are no race with another writer, but a cache that does not move. */
const CONFLICTS_IN_A_ROW = 5;

export function newKeyState(): KeyState {
  return { reads: undefined, unknown: undefined, statusWaitsSince: undefined, conflicts: 0, failed: false };
}

/** Runs one pass. Rejects when something other than an action fails: a read, the status write, or the rules themselves. */
export async function runPass<Seen, Status>(
  deps: PassDependencies<Seen, Status>,
  key: string,
  state: KeyState,
): Promise<PassResult> {
  const { reconciler, events, log } = deps;
  const parts = partsOf(key);
  if (state.unknown) await settleUnknown(deps, key, state, state.unknown);
  const decided = await decide(deps, key, parts, state);
  if (!decided) {
    reconciler.gone?.(parts);
    return { kind: "gone" };
  }
  const { seen, decision } = decided;
  const object = reconciler.object(seen);
  for (const event of decision.events ?? []) events.emit(object, event);
  if (decision.ignore !== undefined) {
    log.debug("left alone", { ...logFields(reconciler, parts), reason: decision.ignore });
    return { kind: "done", requeueAfterMs: decision.requeueAfterMs };
  }
  const outcomes = await applyActions(deps, key, parts, state, decision, object);
  const status = await updateStatus(deps, decided, outcomes, state);
  if (outcomes.some((outcome) => outcome.result === "failed" && !outcome.action.optional)) return { kind: "failed" };
  if (decision.failure !== undefined) {
    log.warn("reconcile failed, trying again", { ...logFields(reconciler, parts), error: decision.failure });
    return { kind: "failed" };
  }
  if (status === "again") return { kind: "again" };
  return { kind: "done", requeueAfterMs: earliest(decision.requeueAfterMs, status) };
}

/** The object of a log line, under its kind (reference: operator.md section 10). */
export function logFields(
  { primary }: Reconciler<never, never> | Pick<Reconciler<never, never>, "primary">,
  { namespace, name }: ObjectKeyParts,
): Record<string, unknown> {
  return { [primary.kind]: { namespace, name } };
}

async function settleUnknown<Seen, Status>(
  { applier, signal }: PassDependencies<Seen, Status>,
  key: string,
  state: KeyState,
  unknown: UnknownCreates,
): Promise<void> {
  if (!(await unknown.settle(applier, key, signal))) {
    throw new UnsettledError(`it is not known yet whether these were created: ${unknown.names.join(", ")}`);
  }
  state.unknown = undefined;
}

interface Decided<Seen> {
  readonly seen: Seen;
  readonly decision: Decision;
  readonly context: DecideContext;
}

/** Asks for a decision until everything it needs has been read; undefined: the object is gone. */
async function decide<Seen, Status>(
  deps: PassDependencies<Seen, Status>,
  key: string,
  parts: ObjectKeyParts,
  state: KeyState,
): Promise<Decided<Seen> | undefined> {
  const { reconciler, clock, random, applier, signal } = deps;
  let reads = state.reads?.current() ?? NO_READS;
  for (let round = 1; ; round++) {
    const seen = reconciler.observe(parts, reads);
    if (seen === undefined) return undefined;
    const context = { now: clock.now(), drawSuffix: () => drawSuffix(random) };
    const decision = reconciler.decide(seen, context);
    const known = reads;
    const missing = decision.needs?.filter((need) => !known.has(needKey(need))) ?? [];
    if (missing.length === 0) return { seen, decision, context };
    if (round === DECIDE_ROUNDS) {
      throw new Error(`no decision after ${round} rounds, still needed: ${missing.map(needKey).join(", ")}`);
    }
    const lastsMs = deps.readsLastMs * (0.9 + random() / 5);
    state.reads ??= new NeededReads(clock);
    reads = await state.reads.read(missing, known, lastsMs, applier, key, signal);
  }
}

async function applyActions<Seen, Status>(
  { reconciler, applier, events, log, clock, signal }: PassDependencies<Seen, Status>,
  key: string,
  parts: ObjectKeyParts,
  state: KeyState,
  { actions }: Decision,
  object: KubeObject,
): Promise<readonly Outcome[]> {
  if (actions.length === 0) return [];
  const { outcomes, unknown } = await applier.apply(actions, key, signal, { cautious: state.failed });
  if (unknown.length > 0) state.unknown = new UnknownCreates(unknown, clock);
  const fields = logFields(reconciler, parts);
  for (const outcome of outcomes) {
    const { action } = outcome;
    logOutcome(log, outcome, fields);
    state.reads?.forget(outcome);
    if (outcome.result === "done" && action.onSuccess) events.emit(object, action.onSuccess);
    if (outcome.result === "failed" && action.onFailure) events.emit(object, action.onFailure(outcome.message));
  }
  return outcomes;
}

/** Milliseconds after which the status is to be looked at again, if it waits. */
async function updateStatus<Seen, Status>(
  deps: PassDependencies<Seen, Status>,
  { seen, decision, context }: Decided<Seen>,
  outcomes: readonly Outcome[],
  state: KeyState,
): Promise<number | "again" | undefined> {
  const { reconciler, client, sink, clock, signal } = deps;
  const computed = reconciler.status(seen, outcomes, decision, context);
  if (computed === undefined) {
    state.statusWaitsSince = undefined;
    return undefined;
  }
  try {
    const written = await writeStatus(client, reconciler, seen, outcomes, computed, state, clock.monotonic(), signal);
    if (written.result === "outdated") return "again";
    if (written.result === "waiting") return written.forMs;
    if (written.result === "written") {
      state.conflicts = 0;
      sink.written(reconciler.primary, written.object);
    }
    return undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (!isConflict(error) || ++state.conflicts > CONFLICTS_IN_A_ROW) throw error;
    await refresh(deps, seen);
    return "again";
  }
}

/** The object has changed and the watch has not said so yet: its newest state comes by a read, not by waiting. */
async function refresh<Seen, Status>(
  { reconciler, client, sink, signal }: PassDependencies<Seen, Status>,
  seen: Seen,
): Promise<void> {
  const { namespace, name, uid = "" } = reconciler.object(seen).metadata;
  try {
    sink.written(reconciler.primary, await client.get({ type: reconciler.primary, namespace, name }, { signal }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    sink.gone(reconciler.primary, { namespace, name, uid });
  }
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

const DONE = { create: "created", delete: "deleted", patch: "patched" } as const;

function logOutcome(log: Logger, outcome: Outcome, object: Record<string, unknown>): void {
  const { action } = outcome;
  const name = action.verb === "create" ? action.object.metadata.name : action.name;
  const fields = { ...object, kind: action.type.kind, name, reason: action.reason };
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
