// Tells the user that something long goes on: one redrawn line on a terminal, a line now and then elsewhere.

/** Where progress is told. */
export interface Progress {
  /** Starts a piece of work that takes a while. */
  task(title: string): Task;
  /** One line about something that is over already. */
  note(text: string): void;
}

export interface Task {
  /** What the work is at now; shown behind the title with the time that has passed. */
  update(detail: string): void;
  /** Ends the task with a line that stays. */
  done(text: string): void;
  /** Ends the task because it failed; the error itself is told by whoever catches it. */
  failed(): void;
}

/** The part of a `WriteStream` that progress needs. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

interface Timing {
  /** Milliseconds; a clock that only goes forward. */
  now(): number;
  /** Between redraws on a terminal, and between lines elsewhere, in milliseconds. */
  readonly redrawMs: number;
  readonly lineMs: number;
}

const usual: Timing = { now: () => performance.now(), redrawMs: 500, lineMs: 15_000 };

const CLEAR_LINE = "\r\x1b[K";

/** Progress that says nothing, for tests. */
export const silent: Progress = {
  task: () => ({ update: () => {}, done: () => {}, failed: () => {} }),
  note: () => {},
};

/** Progress on a stream, usually stderr. */
export function progressOn(stream: ProgressStream, timing: Timing = usual): Progress {
  return {
    task: (title) => (stream.isTTY ? redrawn(stream, title, timing) : byLines(stream, title, timing)),
    // On a terminal a task's line may be in the way.
    note: (text) => void stream.write(`${stream.isTTY ? CLEAR_LINE : ""}${text}\n`),
  };
}

/** `3 s`, `1 min 05 s` */
export function formatElapsed(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

function redrawn(stream: ProgressStream, title: string, timing: Timing): Task {
  const started = timing.now();
  let detail = "";
  const draw = () =>
    stream.write(`${CLEAR_LINE}${cut(line(title, timing.now() - started, detail), stream.columns || 80)}`);
  const timer = setInterval(draw, timing.redrawMs);
  timer.unref();
  const end = (text: string) => {
    clearInterval(timer);
    stream.write(`${CLEAR_LINE}${text}`);
  };
  draw();
  return {
    update: (text) => {
      detail = text;
    },
    done: (text) => end(`${text}\n`),
    failed: () => end(""),
  };
}

function byLines(stream: ProgressStream, title: string, timing: Timing): Task {
  const started = timing.now();
  let told = started;
  stream.write(`${title}\n`);
  let detail = "";
  // By a timer, not by updates: silence of the work must not look like silence of the program.
  const timer = setInterval(
    () => {
      if (timing.now() - told < timing.lineMs) return;
      told = timing.now();
      stream.write(`${line(title, told - started, detail)}\n`);
    },
    Math.min(1000, timing.lineMs),
  );
  timer.unref();
  return {
    update: (text) => {
      detail = text;
    },
    done: (text) => {
      clearInterval(timer);
      stream.write(`${text}\n`);
    },
    failed: () => clearInterval(timer),
  };
}

function line(title: string, elapsedMs: number, detail: string): string {
  return `${title} (${formatElapsed(elapsedMs)})${detail && `: ${detail}`}`;
}

/** A line wider than the terminal would wrap, and a redraw would leave its first half behind. */
function cut(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, columns - 2)}…`;
}
