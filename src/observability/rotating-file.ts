// The log file: a new one at 500 MB, old ones kept for 30 days, at most 10 of them (operator.md section 10).
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  type WriteStream,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { Writable } from "node:stream";

export interface RotationLimits {
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly maxAgeMs: number;
}

const defaultLimits: RotationLimits = { maxBytes: 500 * 1024 * 1024, maxFiles: 10, maxAgeMs: 30 * 24 * 3_600_000 };

/**
 * A stream that appends to `path`, and renames the file to `name-<time>.ext` when it is full. Opens the file at once
 * and throws when that fails, so that a wrong path is noticed at start.
 */
export class RotatingFile extends Writable {
  readonly #path: string;
  readonly #limits: RotationLimits;
  #size = 0;
  #file: WriteStream;

  constructor(path: string, limits: RotationLimits = defaultLimits) {
    super({ decodeStrings: true });
    this.#path = path;
    this.#limits = limits;
    makeFolder(dirname(path));
    this.#file = this.#open();
    this.#prune();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#size > 0 && this.#size + chunk.length > this.#limits.maxBytes) this.#rotate();
    this.#size += chunk.length;
    this.#file.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#file.end(done);
  }

  #open(): WriteStream {
    this.#size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    const file = createWriteStream(this.#path, { fd: openSync(this.#path, "a") });
    file.on("error", (error) => this.destroy(error));
    return file;
  }

  #rotate(): void {
    this.#file.end();
    renameSync(this.#path, this.#oldName(new Date()));
    this.#file = this.#open();
    this.#prune();
  }

  /** `operator-2026-01-02T03-04-05.006.log`: names sort by age. */
  #oldName(time: Date): string {
    const extension = extname(this.#path);
    const stamp = time.toISOString().slice(0, -1).replaceAll(":", "-");
    return join(dirname(this.#path), `${basename(this.#path, extension)}-${stamp}${extension}`);
  }

  #prune(): void {
    const extension = extname(this.#path);
    const prefix = `${basename(this.#path, extension)}-`;
    const folder = dirname(this.#path);
    const old = readdirSync(folder)
      .filter((name) => name.startsWith(prefix) && name.endsWith(extension))
      .filter((name) =>
        /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/.test(name.slice(prefix.length, name.length - extension.length)),
      )
      .sort()
      .reverse();
    const oldest = Date.now() - this.#limits.maxAgeMs;
    for (const [index, name] of old.entries()) {
      const path = join(folder, name);
      const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (index >= this.#limits.maxFiles || modified < oldest) rmSync(path, { force: true });
    }
  }
}

/** Like `mkdir -p`. Node's own recursive form never returns for some paths, such as those under /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path);
}
