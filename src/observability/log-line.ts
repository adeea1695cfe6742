// How one log line looks: zap's JSON and console encodings, which KubeRay's log readers know (operator.md section 10).

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogEncoder = "json" | "console";

export interface LogEntry {
  readonly level: LogLevel;
  readonly time: Date;
  /** The logger's name, such as `controllers.RayCluster`; empty for none. */
  readonly logger: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One line (a stack trace in the console encoding adds more) without the final line break. */
export function encodeEntry(
  entry: LogEntry,
  encoder: LogEncoder,
  style: { stackTrace: boolean; colour: boolean },
): string {
  const fields = plainFields(entry.fields, style.stackTrace && encoder === "json");
  return encoder === "json" ? jsonLine(entry, fields) : consoleLine(entry, fields, style);
}

function jsonLine({ level, time, logger, message }: LogEntry, fields: Record<string, unknown>): string {
  const head = { level, ts: isoTime(time), ...(logger === "" ? {} : { logger }), msg: message };
  // A field cannot take the place of one of the line's own keys.
  return stringify({ ...head, ...fields, ...head });
}

const colours: Readonly<Record<LogLevel, string>> = { debug: "90", info: "36", warn: "33", error: "31" };

function consoleLine(
  { level, time, logger, message, fields: given }: LogEntry,
  fields: Record<string, unknown>,
  style: { stackTrace: boolean; colour: boolean },
): string {
  const shown = style.colour ? `\u001b[${colours[level]}m${level}\u001b[0m` : level;
  const context = Object.keys(fields).length === 0 ? [] : [stringify(fields)];
  const line = [isoTime(time), shown, ...(logger === "" ? [] : [logger]), message, ...context].join("\t");
  const stack = style.stackTrace ? stackOf(given) : undefined;
  return stack === undefined ? line : `${line}\n${stack}`;
}

/** Errors become their message; `stacktrace` is added where it is wanted. */
function plainFields(fields: Readonly<Record<string, unknown>>, stackTrace: boolean): Record<string, unknown> {
  const plain = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  );
  const stack = stackTrace ? stackOf(fields) : undefined;
  return stack === undefined ? plain : { ...plain, stacktrace: stack };
}

function stackOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  return Object.values(fields).find((value) => value instanceof Error)?.stack;
}

/** Never throws: a log line must not end the process. */
function stringify(value: Record<string, unknown>): string {
  try {
    return JSON.stringify(value);
  } catch {
    const plain = Object.entries(value).map(([key, field]) => [key, typeof field === "string" ? field : String(field)]);
    return JSON.stringify(Object.fromEntries(plain));
  }
}

/** ISO 8601 in local time with milliseconds and the zone's offset, as zap writes it: `2026-01-02T03:04:05.006+0100`. */
export function isoTime(time: Date): string {
  const minutes = -time.getTimezoneOffset();
  if (minutes === 0) return time.toISOString();
  const local = new Date(time.getTime() + minutes * 60_000).toISOString().slice(0, -1);
  const pad = (value: number) => String(Math.trunc(value)).padStart(2, "0");
  return `${local}${minutes < 0 ? "-" : "+"}${pad(Math.abs(minutes) / 60)}${pad(Math.abs(minutes) % 60)}`;
}
