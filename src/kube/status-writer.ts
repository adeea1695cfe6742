// Writes the status of a reconciled object: last in a pass, only when it differs, and only onto the version that it was
// computed from.
import type { KubeClient } from "./client.ts";
import type { Outcome, StatusResult } from "./decision.ts";
import { mergePatch } from "./merge-patch.ts";
import type { Reconciler } from "./reconciler.ts";
import type { KubeObject } from "./types.ts";

/** What happened to a status. */
export type StatusWrite =
  | { readonly result: "unchanged" }
  /** Only counts moved: written together with what comes within this time. */
  | { readonly result: "waiting"; readonly forMs: number }
  /** The object changed in this very pass: its status is computed from the new state in the next one. */
  | { readonly result: "outdated" }
  | { readonly result: "written"; readonly object: KubeObject };

/** Since when a difference of a key waits to be written, monotonic milliseconds. */
export interface StatusMemory {
  statusWaitsSince: number | undefined;
}

/** How long differences that may wait are merged. */
const MERGE_MS = 1_000;

/** Computes nothing; compares, waits or writes. Rejects with 409 when the object has changed in the meantime. */
export async function writeStatus<Seen, Status>(
  client: KubeClient,
  reconciler: Reconciler<Seen, Status>,
  seen: Seen,
  outcomes: readonly Outcome[],
  { status, mayWait }: StatusResult<Status>,
  memory: StatusMemory,
  now: number,
  signal: AbortSignal,
): Promise<StatusWrite> {
  const stored = reconciler.storedStatus(seen);
  if (!reconciler.differs(stored, status)) {
    memory.statusWaitsSince = undefined;
    return { result: "unchanged" };
  }
  if (mayWait) {
    memory.statusWaitsSince ??= now;
    const forMs = memory.statusWaitsSince + MERGE_MS - now;
    if (forMs > 0) return { result: "waiting", forMs };
  }
  const resourceVersion = versionToWriteOn(reconciler, seen, outcomes);
  if (resourceVersion === undefined) return { result: "outdated" };
  const { namespace, name } = reconciler.object(seen).metadata;
  const patch = { metadata: { resourceVersion }, status: mergePatch(stored ?? {}, status as object) ?? {} };
  const object = await client.patch<KubeObject>({ type: reconciler.primary, namespace, name }, patch, {
    type: "merge",
    subresource: "status",
    signal,
  });
  memory.statusWaitsSince = undefined;
  reconciler.statusWritten?.(seen, stored, status);
  return { result: "written", object };
}

/** The observed resourceVersion, or that of our own metadata write in this pass if it left the spec alone. */
function versionToWriteOn<Seen, Status>(
  reconciler: Reconciler<Seen, Status>,
  seen: Seen,
  outcomes: readonly Outcome[],
): string | undefined {
  const { uid, generation, resourceVersion } = reconciler.object(seen).metadata;
  const own = outcomes.findLast(
    (outcome) => outcome.result === "done" && outcome.action.verb === "patch" && outcome.object?.metadata.uid === uid,
  );
  const written = own?.result === "done" ? own.object?.metadata : undefined;
  if (!written) return resourceVersion;
  return written.generation === generation ? written.resourceVersion : undefined;
}
