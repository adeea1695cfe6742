// resourceVersions of one kind of object are decimal numbers that grow (Kubernetes API concepts, "Resource versions";
// comparable since 1.35, and so in fact before). They can be larger than a JavaScript integer.

/** Whether `a` is older than, the same as or newer than `b`: negative, 0, positive. Undefined: not comparable. */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (!a || !b || !isNumber(a) || !isNumber(b)) return undefined;
  if (a === b) return 0;
  return a.length === b.length ? (a < b ? -1 : 1) : a.length - b.length;
}

/** Whether `a` is surely newer than `b`. */
export function isNewer(a: string | undefined, b: string | undefined): boolean {
  return (compareResourceVersions(a, b) ?? 0) > 0;
}

// No leading zero, so that the longer number is the larger one.
function isNumber(text: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(text);
}
