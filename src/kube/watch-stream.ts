// Cuts the body of a watch into events. One event is one line of JSON; a chunk from the socket may hold many lines, or
// a part of one.
import { ApiError, type Status } from "./errors.ts";
import type { KubeObject } from "./types.ts";

/** `WatchEvent` (meta/v1) without `ERROR`, which becomes an exception. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: KubeObject;
}

interface RawEvent {
  readonly type: WatchEvent["type"] | "ERROR";
  readonly object: unknown;
}

const NEWLINE = 0x0a;
/** etcd takes objects of 1.5 MB by default; far above it something is wrong. */
const MAX_LINE_BYTES = 32 << 20;

/**
 * Feeds whole events to `onEvent`, strictly in order. What remains without a newline at the end of the stream was cut
 * off and is dropped: the watch is resumed before it. Throws `ApiError` for an `ERROR` event.
 */
export class WatchDecoder {
  readonly #onEvent: (event: WatchEvent) => void;
  #partial: Buffer[] = [];
  #partialBytes = 0;

  constructor(onEvent: (event: WatchEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#line(chunk, start, end);
      start = end + 1;
    }
    if (start === chunk.length) return;
    this.#partialBytes += chunk.length - start;
    if (this.#partialBytes > MAX_LINE_BYTES) throw new Error(`a watch event is larger than ${MAX_LINE_BYTES} bytes`);
    this.#partial.push(start === 0 ? chunk : chunk.subarray(start));
  }

  #line(chunk: Buffer, start: number, end: number): void {
    if (this.#partial.length === 0) {
      this.#event(chunk.toString("utf8", start, end));
      return;
    }
    const line = Buffer.concat([...this.#partial, chunk.subarray(start, end)]).toString("utf8");
    this.#partial = [];
    this.#partialBytes = 0;
    this.#event(line);
  }

  #event(line: string): void {
    if (line === "" || line === "\r") return;
    const event = JSON.parse(line) as RawEvent;
    if (event.type === "ERROR") {
      const status = (event.object ?? {}) as Status;
      throw new ApiError(status.code ?? 500, status);
    }
    this.#onEvent(event as WatchEvent);
  }
}
