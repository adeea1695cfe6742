// The process's log: standard error, and a file if one is named. Names, keys and encodings are KubeRay's.
import type { Writable } from "node:stream";
import winston from "winston";
import type { Logger } from "../kube/types.ts";
import { encodeEntry, type LogEncoder, type LogEntry, type LogLevel } from "./log-line.ts";
import { LogSampler } from "./log-sampler.ts";
import { RotatingFile } from "./rotating-file.ts";

export interface LogOptions {
  /** How standard error is written. */
  readonly encoder: LogEncoder;
  /** Lines below this level are dropped. */
  readonly level: LogLevel;
  /** Lines with an error carry its stack trace from this level on. */
  readonly stackTraces: "info" | "warn" | "error" | "none";
  /** Of many identical lines in one second, only some are written to standard error. */
  readonly sampling: boolean;
  /** Written as well, from level info on and without sampling. */
  readonly filePath?: string | undefined;
  readonly fileEncoder?: LogEncoder;
}

/** A logger that can be flushed and closed at the end of the process. */
export interface ProcessLogger extends Logger {
  close(): Promise<void>;
}

/** Smaller is more severe: winston's order. */
const severity: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

/** The log of this process. Throws when the log file cannot be opened. */
export function createLogger(
  options: LogOptions,
  destination: Writable & { isTTY?: boolean } = process.stderr,
): ProcessLogger {
  const colour = destination.isTTY === true && !process.env.NO_COLOR;
  const console = new winston.transports.Stream({
    stream: destination,
    level: options.level,
    format: lineFormat(options, options.encoder, { colour, sampler: options.sampling ? new LogSampler() : undefined }),
  });
  const file = options.filePath === undefined ? undefined : new RotatingFile(options.filePath);
  const transports: winston.transport[] = [console];
  if (file) {
    const format = lineFormat(options, options.fileEncoder ?? "json", { colour: false, sampler: undefined });
    transports.push(new winston.transports.Stream({ stream: file, level: "info", format }));
  }
  const root = winston.createLogger({ levels: { ...severity }, level: "debug", transports });
  file?.on("error", (error) => {
    root.remove(transports[1] as winston.transport);
    logger.error("the log file is given up", { path: options.filePath, error });
  });
  const write = (entry: LogEntry): void => {
    root.log(entry as LogEntry & { message: string });
  };
  const logger = Object.assign(new NamedLogger(write, "", {}), { close: () => closeAll(root, file) });
  return logger;
}

function lineFormat(
  { stackTraces }: LogOptions,
  encoder: LogEncoder,
  { colour, sampler }: { colour: boolean; sampler: LogSampler | undefined },
): winston.Logform.Format {
  const withStack = (level: LogLevel) => stackTraces !== "none" && severity[level] <= severity[stackTraces];
  const sample = winston.format((info) => {
    const entry = info as unknown as LogEntry;
    return !sampler || sampler.passes(entry.level, entry.message, entry.time.getTime()) ? info : false;
  });
  const encode = winston.format.printf((info) => {
    const entry = info as unknown as LogEntry;
    return encodeEntry(entry, encoder, { colour, stackTrace: withStack(entry.level) });
  });
  return winston.format.combine(sample(), encode);
}

class NamedLogger implements Logger {
  readonly #write: (entry: LogEntry) => void;
  readonly #name: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(write: (entry: LogEntry) => void, name: string, fields: Readonly<Record<string, unknown>>) {
    this.#write = write;
    this.#name = name;
    this.#fields = fields;
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#log("debug", message, fields);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#log("info", message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#log("warn", message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#log("error", message, fields);
  }

  child(name: string, fields: Record<string, unknown> = {}): Logger {
    const fullName = [this.#name, name].filter((part) => part !== "").join(".");
    return new NamedLogger(this.#write, fullName, { ...this.#fields, ...fields });
  }

  #log(level: LogLevel, message: string, fields: Record<string, unknown> = {}): void {
    this.#write({ level, time: new Date(), logger: this.#name, message, fields: { ...this.#fields, ...fields } });
  }
}

async function closeAll(root: winston.Logger, file: RotatingFile | undefined): Promise<void> {
  root.close();
  if (!file || file.destroyed) return;
  await new Promise<void>((resolve) => {
    file.end(resolve);
  });
}
