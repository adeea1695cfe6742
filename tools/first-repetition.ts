/**
 * Index of the first item whose key fields repeat those of an earlier item, or -1. It is bundled into the generated
 * validators, for `x-kubernetes-list-map-keys`.
 */
export function firstRepetition(items: readonly unknown[], keys: readonly string[]): number {
  const seen = new Set<string>();
  return items.findIndex((item) => {
    const identity = JSON.stringify(keys.map((key) => (item as Record<string, unknown> | null)?.[key]));
    if (seen.has(identity)) return true;
    seen.add(identity);
    return false;
  });
}
