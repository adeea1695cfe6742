type Json = Record<string, unknown>;

/**
 * The JSON merge patch (RFC 7386) that turns `before` into `after`: only what differs, null for what is no more, lists
 * as a whole. Undefined values count as absent. Undefined as the answer means that nothing differs.
 */
export function mergePatch(before: object, after: object): Json | undefined {
  const patch: Json = {};
  const [old, next] = [before as Json, after as Json];
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const part = partFor(old[key], next[key]);
    if (part !== undefined) patch[key] = part;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function partFor(before: unknown, after: unknown): unknown {
  if (after === undefined) return before === undefined ? undefined : null;
  if (isRecord(after)) return isRecord(before) ? mergePatch(before, after) : (mergePatch({}, after) ?? {});
  return equal(before, after) ? undefined : after;
}

/** Applies a JSON merge patch (RFC 7386), without changing its arguments. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(result[key], value);
  }
  return result;
}

function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a).filter((key) => a[key] !== undefined);
  return (
    keys.length === Object.keys(b).filter((key) => b[key] !== undefined).length &&
    keys.every((key) => equal(a[key], b[key]))
  );
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
