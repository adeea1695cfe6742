// Events for `kubectl describe` (events.k8s.io/v1). Writing them never delays or fails what they tell of: they go
// through a bounded queue of their own, and equal ones become one Event with a series count.
import { hostname } from "node:os";
import type { KubeClient } from "./client.ts";
import type { EventSpec } from "./decision.ts";
import { DelayHeap } from "./delay-heap.ts";
import { isNotFound, isTransient, messageOf } from "./errors.ts";
import { Limiter } from "./limiter.ts";
import { type Clock, systemClock } from "./time.ts";
import type { KubeObject, Logger, ResourceType } from "./types.ts";

export interface EventSinkOptions {
  readonly client: KubeClient;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Equal lines that come within this time of the first are one write, milliseconds. Default 100. */
  readonly windowMs?: number;
  /** First pause between two writes of one series; doubles up to 5 minutes. Default 10,000 ms. */
  readonly repeatMs?: number;
  /** Most series remembered; more than that at once are dropped. Default 4,096. */
  readonly capacity?: number;
  /** Writes at once. Default 4. */
  readonly parallelism?: number;
  /** Second half of `reportingInstance`. Default: the host's name. */
  readonly host?: string;
}

/** Emits the events of one controller. */
export interface EventRecorder {
  /** Never throws and never waits. */
  emit(regarding: KubeObject, spec: EventSpec): void;
}

export const EVENTS: ResourceType = {
  apiVersion: "events.k8s.io/v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
};

/** Limits of the API (Kubernetes, validation of events.k8s.io/v1), in bytes and characters. */
const MAX_NOTE_BYTES = 1024;
const MAX_INSTANCE = 128;
const MAX_NAME = 253;
/** A line that comes again after a longer silence begins a new Event, like client-go's. */
const SERIES_ENDS_MS = 6 * 60_000;
const LONGEST_REPEAT_MS = 5 * 60_000;
const WRITE_ATTEMPTS = 3;
const WRITE_TIMEOUT_MS = 10_000;

/** `regarding` of an event. Not the object itself: a series must not keep every version of it in memory. */
interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly namespace?: string;
}

interface Series {
  /** Everything but the note. */
  readonly reason: string;
  readonly key: string;
  readonly regarding: Regarding;
  readonly spec: EventSpec;
  readonly controller: string;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** The count that the API server has; 0: the Event was not created yet. */
  written: number;
  /** Name of the Event once it was chosen. */
  name: string | undefined;
  repeatMs: number;
  failures: number;
  writing: boolean;
}

/** Where all recorders of a process write to. */
export class EventSink {
  readonly #options: EventSinkOptions;
  readonly #clock: Clock;
  readonly #limiter: Limiter;
  /** In the order of their last occurrence. */
  readonly #series = new Map<string, Series>();
  /** The series of each reason that are not written yet: what comes in their window joins them, whatever its note. */
  readonly #open = new Map<string, Series>();
  readonly #due = new DelayHeap();
  readonly #writing = new Set<Promise<void>>();
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #lastName = 0n;
  #dropped = 0;

  constructor(options: EventSinkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limiter = new Limiter(options.parallelism ?? 4);
  }

  /** Lines that were lost because too many came at once or the API server refused them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The recorder of a controller such as `raycluster`; it reports as `raycluster-controller`. */
  recorder(name: string): EventRecorder {
    const controller = `${name}-controller`;
    return { emit: (regarding, spec) => this.#emit(controller, regarding, spec) };
  }

  /** Writes what is waiting now, and resolves when it is written or `timeoutMs` are over. */
  async flush(timeoutMs = 5_000): Promise<void> {
    const timeout = Promise.withResolvers<void>();
    const cancel = this.#clock.after(timeoutMs, () => timeout.resolve());
    for (const series of this.#series.values()) {
      if (series.written < series.count) this.#write(series);
    }
    await Promise.race([Promise.all(this.#writing), timeout.promise]);
    cancel();
  }

  /** Forgets all series, written or not. */
  clear(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#due.clear();
    this.#series.clear();
    this.#open.clear();
  }

  #emit(controller: string, regarding: KubeObject, spec: EventSpec): void {
    const now = this.#clock.now();
    const reason = [controller, regarding.metadata.uid, spec.type, spec.reason, spec.action].join("\n");
    const key = `${reason}\n${spec.note}`;
    const known = this.#open.get(reason) ?? this.#series.get(key);
    if (known && now - known.lastAt < SERIES_ENDS_MS) {
      known.count++;
      known.lastAt = now;
      this.#series.delete(known.key);
      this.#series.set(known.key, known);
      if (known.written > 0) this.#schedule(known, known.repeatMs);
      return;
    }
    if (!this.#makeRoom(now)) return;
    const series: Series = {
      ...{
        reason,
        key,
        regarding: referenceTo(regarding),
        spec,
        controller,
        firstAt: now,
        lastAt: now,
        count: 1,
        written: 0,
        name: undefined,
      },
      ...{ repeatMs: this.#options.repeatMs ?? 10_000, failures: 0, writing: false },
    };
    this.#series.set(key, series);
    this.#open.set(reason, series);
    this.#schedule(series, this.#options.windowMs ?? 100);
  }

  /** Drops series that have ended; false when there is no room even so. */
  #makeRoom(now: number): boolean {
    const { capacity = 4096 } = this.#options;
    for (const [key, series] of this.#series) {
      const ended = now - series.lastAt >= SERIES_ENDS_MS;
      const full = this.#series.size >= capacity;
      if (!ended && !full) return true;
      if (series.written < series.count) {
        if (!ended) break;
        continue;
      }
      this.#series.delete(key);
    }
    if (this.#series.size < capacity) return true;
    if (this.#dropped++ % 1000 === 0) this.#options.log.warn("too many events at once, some are dropped");
    return false;
  }

  #schedule(series: Series, delayMs: number): void {
    this.#due.put(series.key, this.#clock.monotonic() + delayMs, 0);
    this.#arm();
  }

  #arm(): void {
    const at = this.#due.earliest();
    if (at === undefined || at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(at - this.#clock.monotonic(), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      const now = this.#clock.monotonic();
      for (let due = this.#due.takeDue(now); due; due = this.#due.takeDue(now)) {
        const series = this.#series.get(due.key);
        if (series) this.#write(series);
      }
      this.#arm();
    });
  }

  #write(series: Series): void {
    if (series.writing || series.written >= series.count) return;
    series.writing = true;
    if (this.#open.get(series.reason) === series) this.#open.delete(series.reason);
    const { count } = series;
    const written = this.#limiter
      .run(series.regarding.namespace ?? "", () => this.#send(series, count))
      .then(
        () => this.#succeeded(series, count),
        (error: unknown) => this.#failed(series, error),
      )
      .finally(() => this.#writing.delete(written));
    this.#writing.add(written);
  }

  #succeeded(series: Series, count: number): void {
    series.writing = false;
    if (series.written > 0) series.repeatMs = Math.min(series.repeatMs * 2, LONGEST_REPEAT_MS);
    series.written = count;
    series.failures = 0;
    if (series.count > count) this.#schedule(series, series.repeatMs);
  }

  #failed(series: Series, error: unknown): void {
    series.writing = false;
    if (isTransient(error) && ++series.failures < WRITE_ATTEMPTS) {
      this.#schedule(series, 1_000 * 2 ** series.failures);
      return;
    }
    this.#dropped++;
    this.#series.delete(series.key);
    this.#options.log.debug("an event was not written", { reason: series.spec.reason, error: messageOf(error) });
  }

  async #send(series: Series, count: number): Promise<void> {
    const { client } = this.#options;
    const namespace = series.regarding.namespace ?? "default";
    if (series.written > 0 && series.name) {
      try {
        const patch = { series: seriesOf(count, series.lastAt) };
        const options = { type: "merge", timeoutMs: WRITE_TIMEOUT_MS } as const;
        await client.patch({ type: EVENTS, namespace, name: series.name }, patch, options);
        return;
      } catch (error) {
        // The API server forgets events after an hour.
        if (!isNotFound(error)) throw error;
      }
    }
    series.name = this.#nextName(series.regarding.name);
    await client.create(EVENTS, this.#event(series, namespace, count), { timeoutMs: WRITE_TIMEOUT_MS });
  }

  #event(series: Series, namespace: string, count: number): KubeObject {
    const { regarding, spec, controller } = series;
    const event = {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      metadata: { name: series.name ?? "", namespace },
      eventTime: microTime(series.firstAt),
      ...(count > 1 && { series: seriesOf(count, series.lastAt) }),
      reportingController: controller,
      reportingInstance: `${controller}-${this.#options.host ?? hostname()}`.slice(0, MAX_INSTANCE),
      action: spec.action,
      reason: spec.reason,
      regarding,
      note: cutNote(spec.note),
      type: spec.type,
    };
    return event;
  }

  /** `<object>.<hex nanoseconds>`, never twice. */
  #nextName(object: string): string {
    const now = BigInt(this.#clock.now()) * 1_000_000n;
    this.#lastName = now > this.#lastName ? now : this.#lastName + 1n;
    const suffix = `.${this.#lastName.toString(16)}`;
    return object.slice(0, MAX_NAME - suffix.length) + suffix;
  }
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): Regarding {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    ...{ apiVersion, kind, name },
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(namespace && { namespace }),
  };
}

/** Cuts a text at 1,024 bytes of UTF-8, between characters. */
export function cutNote(note: string): string {
  const bytes = Buffer.from(note, "utf8");
  if (bytes.length <= MAX_NOTE_BYTES) return note;
  let end = MAX_NOTE_BYTES;
  // Bytes of the form 10xxxxxx continue a character.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

function seriesOf(count: number, lastAt: number): { count: number; lastObservedTime: string } {
  return { count, lastObservedTime: microTime(lastAt) };
}

/** `MicroTime` of meta/v1. */
export function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}
