// JSON as Go's encoder writes it, for strings that users and other programs compare byte by byte.

/** Compact JSON with the keys of all objects sorted. The value must be JSON already; undefined members are left out. */
export function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return scalarJson(value ?? null);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([key, member]) => `${scalarJson(key)}:${sortedJson(member)}`).join(",")}}`;
}

/** A string, number, boolean or null. Go escapes three characters and two line separators, so that JSON is safe in HTML. */
export function scalarJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
