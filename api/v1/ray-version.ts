// `spec.rayVersion` is what the user declares; images are never inspected (objects.md section 4).

/** The numbers of a version: major, minor, and usually patch. */
export type RayVersion = readonly number[];

/**
 * Reads the numbers at the start, as Kubernetes' ParseGeneric does: `v2.53`, `2.53.0rc1` and `2.53.0-gpu` are all
 * 2.53.0. Undefined for anything without two numbers, such as `nightly` or `2`.
 */
export function parseRayVersion(text: string | undefined): RayVersion | undefined {
  const numbers = /^\s*v?(\d+(?:\.\d+)*).*$/.exec(text ?? "")?.[1]?.split(".");
  if (numbers === undefined || numbers.length < 2 || /^0\d/.test(numbers[0] ?? "")) return undefined;
  const version = numbers.map(Number);
  return version.every(Number.isSafeInteger) ? version : undefined;
}

/** Below zero, zero or above zero, number by number; a missing number counts as 0 (`2.53` equals `2.53.0`). */
export function compareRayVersions(a: RayVersion, b: RayVersion): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether a declared version is `minimum` (for example `2.53.0`) or later; false if it cannot be read. */
export function rayVersionAtLeast(declared: string | undefined, minimum: string): boolean {
  const version = parseRayVersion(declared);
  const bound = parseRayVersion(minimum);
  return version !== undefined && bound !== undefined && compareRayVersions(version, bound) >= 0;
}
