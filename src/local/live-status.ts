// The lines about Ray objects while `make run` runs: redrawn on a terminal, one a change elsewhere.

import type { ProgressStream } from "./progress.ts";
import { columns } from "./table.ts";

/** Not more often, in milliseconds: a start changes many objects at once. */
const REDRAW_MS = 100;

/** Shows a line for each key, in order of appearance. */
export class LiveStatus {
  readonly #stream: ProgressStream & { readonly rows?: number };
  readonly #clock: () => Date;
  readonly #lines = new Map<string, readonly string[]>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: ProgressStream & { readonly rows?: number }, clock: () => Date = () => new Date()) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** Sets the cells of a line; without a change nothing is shown. */
  set(key: string, cells: readonly string[]): void {
    if (this.#lines.get(key)?.join("\0") === cells.join("\0")) return;
    this.#lines.set(key, cells);
    this.#changed(cells);
  }

  /** Removes a line: its object is gone. */
  remove(key: string): void {
    const cells = this.#lines.get(key);
    if (!cells) return;
    this.#lines.delete(key);
    this.#changed([cells[0] ?? key, "gone"]);
  }

  /** A line that stays, above the live ones. */
  note(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
    if (this.#stream.isTTY) this.#draw();
  }

  /** Leaves the last state on the screen and shows nothing more. */
  end(): void {
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#draw();
    }
    this.#drawn = 0;
  }

  #changed(cells: readonly string[]): void {
    if (!this.#stream.isTTY) {
      const time = this.#clock().toTimeString().slice(0, 8);
      this.#stream.write(`${columns([[time, ...cells]])[0]}\n`);
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, REDRAW_MS);
  }

  #draw(): void {
    this.#erase();
    const width = (this.#stream.columns || 80) - 1;
    const room = Math.max(1, (this.#stream.rows || 24) - 2);
    const all = columns([...this.#lines.values()]);
    const shown = all.length <= room ? all : [...all.slice(0, room - 1), `and ${all.length - room + 1} more`];
    for (const line of shown) this.#stream.write(`${line.slice(0, width)}\n`);
    this.#drawn = shown.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#stream.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }
}
