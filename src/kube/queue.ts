// A queue of keys. Its contract:
//
// 1. It holds keys only, never objects: whoever works on a key reads the newest state, so nothing is worked on twice
//    because it changed twice.
// 2. A key is worked on once at a time. Added while it is worked on, it is worked on once more afterwards.
// 3. Added twice before it is worked on, it is there once, with the higher of the two priorities.
// 4. A higher priority goes first; within one priority, who came first.
// 5. A delayed key becomes ready when its time has come; of several times the earliest counts. Taking a key cancels its
//    delay: the work that begins now sees everything the delay was for, and decides anew when to look again.
// 6. `retry` delays a key by its own number of failures in a row: 5 ms doubling up to a cap, with jitter, so that keys
//    that failed together do not come back together. `forget` ends the row.
// 7. After `stop` nothing is taken any more.
import { DelayHeap } from "./delay-heap.ts";
import { backoffMs, type Clock, systemClock } from "./time.ts";

/** Changes made by people, everything else that happens, and what only might have changed (first list, resync). */
export const PRIORITY = { user: 100, normal: 0, background: -100 } as const;

export interface QueueOptions {
  readonly clock?: Clock;
  /** 0 up to 1, for the jitter. */
  readonly random?: () => number;
  /** Default 5. */
  readonly baseDelayMs?: number;
  /** Default 300,000; the reference's 1,000 s (operator.md section 7) would outlast a mended quota by a quarter hour. */
  readonly maxDelayMs?: number;
  readonly observer?: QueueObserver | undefined;
}

/** For the `workqueue_*` metrics (reference: operator.md 15.4). */
export interface QueueObserver {
  added?(priority: number): void;
  retried?(): void;
  /** Taken for work after waiting this long. */
  taken?(waitedSeconds: number): void;
  done?(workedSeconds: number): void;
}

interface Waiting {
  priority: number;
  readonly since: number;
}

interface Working {
  readonly since: number;
  /** Priority of an add that came meanwhile. */
  again: number | undefined;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #options: QueueOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #working = new Map<string, Working>();
  readonly #lines = new Map<number, Line>();
  readonly #delayed = new DelayHeap();
  readonly #failures = new Map<string, number>();
  #onReady: () => void = () => {};
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(options: QueueOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Called whenever a key may have become ready to be taken. */
  onReady(callback: () => void): void {
    this.#onReady = callback;
  }

  /** Number of keys that wait to be taken, by priority. */
  depths(): ReadonlyMap<number, number> {
    const depths = new Map<number, number>();
    for (const { priority } of this.#waiting.values()) depths.set(priority, (depths.get(priority) ?? 0) + 1);
    return depths;
  }

  /** Number of keys that wait to be taken. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** How long each key that is worked on has been, in seconds. */
  workingSeconds(): number[] {
    const now = this.#clock.monotonic();
    return [...this.#working.values()].map(({ since }) => (now - since) / 1000);
  }

  add(key: string, priority: number = PRIORITY.normal): void {
    if (this.#stopped) return;
    const working = this.#working.get(key);
    if (working) {
      if (working.again === undefined) this.#options.observer?.added?.(priority);
      working.again = Math.max(working.again ?? priority, priority);
      return;
    }
    const waiting = this.#waiting.get(key);
    if (waiting && waiting.priority >= priority) return;
    if (waiting) waiting.priority = priority;
    else {
      this.#waiting.set(key, { priority, since: this.#clock.monotonic() });
      this.#options.observer?.added?.(priority);
    }
    this.#line(priority).push(key);
    this.#onReady();
  }

  addAfter(key: string, delayMs: number, priority: number = PRIORITY.normal): void {
    if (this.#stopped) return;
    if (delayMs <= 0) {
      this.add(key, priority);
      return;
    }
    this.#delayed.put(key, this.#clock.monotonic() + delayMs, priority);
    this.#arm();
  }

  /** Delays the key because work on it failed; gives the delay in milliseconds. */
  retry(key: string, priority: number = PRIORITY.normal): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { baseDelayMs = 5, maxDelayMs = 300_000, random } = this.#options;
    const delayMs = backoffMs(failures, baseDelayMs, maxDelayMs, random);
    this.#options.observer?.retried?.();
    this.addAfter(key, delayMs, priority);
    return delayMs;
  }

  /** Failures in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Takes the next key for work, if one is ready; `done` must follow. */
  take(): string | undefined {
    if (this.#stopped) return undefined;
    for (const priority of [...this.#lines.keys()].sort((a, b) => b - a)) {
      const key = this.#next(priority);
      if (key !== undefined) return this.#start(key);
    }
    return undefined;
  }

  /** Work on a taken key has ended. */
  done(key: string): void {
    const working = this.#working.get(key);
    if (!working) return;
    this.#working.delete(key);
    this.#options.observer?.done?.((this.#clock.monotonic() - working.since) / 1000);
    if (working.again === undefined || this.#stopped) return;
    this.#waiting.set(key, { priority: working.again, since: this.#clock.monotonic() });
    this.#line(working.again).push(key);
    this.#onReady();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#waiting.clear();
    this.#lines.clear();
    this.#delayed.clear();
  }

  /** The first key of a line that still waits there; raised keys have left their old place behind. */
  #next(priority: number): string | undefined {
    const line = this.#lines.get(priority);
    for (let key = line?.shift(); key !== undefined; key = line?.shift()) {
      if (this.#waiting.get(key)?.priority === priority) return key;
    }
    return undefined;
  }

  #start(key: string): string {
    const now = this.#clock.monotonic();
    const { since = now } = this.#waiting.get(key) ?? {};
    this.#waiting.delete(key);
    this.#delayed.remove(key);
    this.#working.set(key, { since: now, again: undefined });
    this.#options.observer?.taken?.((now - since) / 1000);
    return key;
  }

  #line(priority: number): Line {
    let line = this.#lines.get(priority);
    if (!line) {
      line = new Line();
      this.#lines.set(priority, line);
    }
    return line;
  }

  /** One timer for all delays, set to the earliest. */
  #arm(): void {
    const at = this.#delayed.earliest();
    if (at === undefined || at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(at - this.#clock.monotonic(), () => this.#due());
  }

  #due(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    const now = this.#clock.monotonic();
    for (let due = this.#delayed.takeDue(now); due; due = this.#delayed.takeDue(now)) this.add(due.key, due.priority);
    this.#arm();
  }
}

/** First in, first out, without moving what stays. */
class Line {
  #keys: string[] = [];
  #head = 0;

  push(key: string): void {
    this.#keys.push(key);
  }

  shift(): string | undefined {
    const key = this.#keys[this.#head];
    if (key === undefined) return undefined;
    this.#head++;
    if (this.#head > 64 && this.#head * 2 > this.#keys.length) {
      this.#keys = this.#keys.slice(this.#head);
      this.#head = 0;
    }
    return key;
  }
}
