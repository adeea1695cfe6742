// Compares the events of two recordings by what a user reads: type, reason and message. How often one was repeated,
// and which pod of a batch gave its name to the line, does not count.

export interface Recording {
  readonly events: readonly { type: string; reason: string; kind: string; message: string }[];
}

export interface AllowEntry {
  readonly sample?: string;
  readonly section?: string;
  readonly path: string;
  readonly why: string;
}

/** The differences, each as `golden only: ...` or `ours only: ...`, without those that an entry allows. */
export function eventDifferences(golden: Recording, ours: Recording, allowed: readonly AllowEntry[]): string[] {
  const expected = new Set(golden.events.map(line));
  const actual = new Set(ours.events.map(line));
  return [
    ...[...expected].filter((event) => !actual.has(event)).map((event) => `golden only: ${event}`),
    ...[...actual].filter((event) => !expected.has(event)).map((event) => `ours only: ${event}`),
  ].filter((difference) => !allowed.some((entry) => new RegExp(entry.path, "s").test(difference)));
}

/** One event as a line. The drawn part of a pod's name is left out: the operator leaves it out of errors. */
function line({ type, reason, kind, message }: Recording["events"][number]): string {
  return `${type} ${reason} ${kind}: ${message.replaceAll("<rand>", "")}`;
}
