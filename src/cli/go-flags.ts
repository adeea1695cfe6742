// Command-line flags in the syntax of Go's `flag` package, which KubeRay's command lines are written in.
//
// One or two dashes; the value after `=` or as the next argument; a boolean takes a value only after `=`, so that
// `--flag false` sets it to true and ends the flags at the word `false`. Source: pkg.go.dev/flag, "Command line flag
// syntax"; operator.md section 2.

/** What one flag takes. `name` is without dashes. */
export interface FlagDefinition {
  readonly name: string;
  readonly type: "string" | "bool" | "int" | "float" | "duration";
  readonly usage: string;
  /** How the default is shown in `--help`, where it is not the zero value. */
  readonly defaultText?: string;
  /** Checked once the text is of the right type; gives what is wrong, or undefined. */
  readonly check?: (text: string) => string | undefined;
}

/** The value of each type: durations are in milliseconds. */
export type FlagValue = string | boolean | number;

export interface ParsedFlags {
  /** Only the flags that were given; the last one wins. */
  readonly values: ReadonlyMap<string, FlagValue>;
  /** What stood after the last flag: Go's programs ignore it in silence. */
  readonly rest: readonly string[];
}

/** A command line that cannot be read: exit code 2. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/** The user asked for `-h` or `--help`: exit code 0. */
export class HelpRequested extends Error {
  override readonly name = "HelpRequested";
}

/**
 * Reads `args` (without the program's name) by `definitions`.
 * Throws `FlagError` with Go's own words for an unknown flag, a missing or a wrong value.
 */
export function parseGoFlags(definitions: readonly FlagDefinition[], args: readonly string[]): ParsedFlags {
  const known = new Map(definitions.map((definition) => [definition.name, definition]));
  const values = new Map<string, FlagValue>();
  let at = 0;
  while (isFlag(args[at])) {
    const argument = args[at] ?? "";
    at += 1;
    if (argument === "--") break;
    const { name, text } = splitArgument(argument);
    const definition = known.get(name) ?? refuse(name, known);
    const takesNext = text === undefined && definition.type !== "bool";
    values.set(name, parseValue(definition, takesNext ? args[at] : (text ?? "true")));
    if (takesNext) at += 1;
  }
  return { values, rest: args.slice(at) };
}

function refuse(name: string, known: ReadonlyMap<string, FlagDefinition>): never {
  if (name === "h" || name === "help") throw new HelpRequested();
  throw new FlagError(`flag provided but not defined: -${name}${suggestion(name, known)}`);
}

function isFlag(argument: string | undefined): boolean {
  return argument !== undefined && argument.length > 1 && argument.startsWith("-");
}

function splitArgument(argument: string): { name: string; text: string | undefined } {
  const body = argument.replace(/^--?/, "");
  if (body === "" || body.startsWith("-") || body.startsWith("=")) {
    throw new FlagError(`bad flag syntax: ${argument}`);
  }
  const equals = body.indexOf("=");
  if (equals < 0) return { name: body, text: undefined };
  return { name: body.slice(0, equals), text: body.slice(equals + 1) };
}

function parseValue({ name, type, check }: FlagDefinition, text: string | undefined): FlagValue {
  if (text === undefined) throw new FlagError(`flag needs an argument: -${name}`);
  const kind = type === "bool" ? "boolean value" : "value";
  const value = parsers[type](text);
  const wrong = value === undefined ? "parse error" : check?.(text);
  if (value === undefined || wrong !== undefined) {
    throw new FlagError(
      `invalid ${kind} ${JSON.stringify(text)} for ${type === "bool" ? "" : "flag "}-${name}: ${wrong}`,
    );
  }
  return value;
}

/** The spellings that Go's `strconv.ParseBool` takes; anything else gives undefined. */
export function parseBoolean(text: string): boolean | undefined {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  return undefined;
}

/** Go's integer literals: decimal, `0x`, `0o` or a leading zero, `0b`. */
function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]*|[1-9][0-9]*)$/.exec(text);
  const digits = match?.[2];
  if (digits === undefined || /^0[oO]$/.test(digits)) return undefined;
  const octal = /^0[0-7]+$/.test(digits);
  const value = Number(octal ? `0o${digits.slice(1)}` : digits);
  if (!Number.isSafeInteger(value)) return undefined;
  return match?.[1] === "-" ? -value : value;
}

function parseFloatNumber(text: string): number | undefined {
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text)) return undefined;
  return Number(text);
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's durations, for example `15s` or `1m30s`; gives milliseconds. */
function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|ms|s|m|h)/.test(text)) return undefined;
  let total = 0;
  const rest = text.replace(/([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|ms|s|m|h)/g, (_all, amount, unit) => {
    total += Number(amount) * (durationUnits[unit] ?? 0);
    return "";
  });
  return rest === "" ? total : undefined;
}

const parsers: Readonly<Record<FlagDefinition["type"], (text: string) => FlagValue | undefined>> = {
  string: (text) => text,
  bool: parseBoolean,
  int: parseInteger,
  float: parseFloatNumber,
  duration: parseDuration,
};

function suggestion(name: string, known: ReadonlyMap<string, FlagDefinition>): string {
  const near = [...known.keys()]
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .filter(({ distance }) => distance <= Math.max(1, name.length / 4))
    .sort((a, b) => a.distance - b.distance)[0];
  return near ? ` (did you mean --${near.candidate}?)` : "";
}

/** Levenshtein's distance: how many letters must be put in, taken out or changed. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
