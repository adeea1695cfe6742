// Sends calls to the API server: identity, rate limit, the gate for writes, attempts, and counting.
import type { IncomingHttpHeaders } from "node:http";
import { ApiError, ConnectionError, type Status } from "./errors.ts";
import { exchange, type HttpRequest, type HttpResponse, type StreamConsumer } from "./http.ts";
import type { Connection } from "./kubeconfig.ts";
import { ConnectionPools, type PoolOptions } from "./pools.ts";
import { backoffMs, sleep } from "./time.ts";
import { TokenBucket } from "./token-bucket.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "raw";

/** One attempt, for the `rest_client_*` metrics (reference: operator.md 15.3). */
export interface RequestRecord {
  readonly verb: Verb;
  readonly method: HttpRequest["method"];
  /** Plural name of the resource; `raw` where there is none. */
  readonly resource: string;
  readonly host: string;
  /** HTTP status as text, or `<error>` when there was no answer. */
  readonly code: string;
  /** Until the end of the answer; of a watch until its start. */
  readonly seconds: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface RequestObserver {
  request?(record: RequestRecord): void;
  /** A request is tried again after this answer. */
  retry?(verb: Verb, host: string, code: string): void;
  /** A request waited this long for the client's own rate limit. */
  throttled?(verb: Verb, host: string, seconds: number): void;
}

export interface RequesterOptions extends PoolOptions {
  readonly userAgent?: string;
  /** Longest wait for an answer, in milliseconds. Default 30,000; lists 60,000. */
  readonly timeoutMs?: number;
  /** Client-side rate limit of the whole process, requests per second; off unless given. */
  readonly qps?: number | undefined;
  readonly burst?: number | undefined;
  /** Attempts of one request in all, when the server says 429 or the connection breaks. Default 5. */
  readonly attempts?: number;
  /** Longest answer, in bytes. Default 64 MiB. */
  readonly maxResponseBytes?: number;
  readonly observer?: RequestObserver | undefined;
}

export interface Call {
  readonly verb: Verb;
  readonly method: HttpRequest["method"];
  readonly resource: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: string | undefined;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** A call whose answer is consumed as it comes. */
export interface Streaming {
  push(chunk: Buffer): void;
  /** Longest silence in milliseconds. */
  readonly bodyTimeoutMs: number;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;
/** A server that asks for a longer pause gets this one, and another attempt after it. */
const LONGEST_RETRY_AFTER_MS = 30_000;

export class Requester {
  readonly host: string;
  /** Asked at the moment a write is put on the socket; throws when this process may not write. */
  mayWrite: () => void = () => {};
  readonly #connection: Connection;
  readonly #options: RequesterOptions;
  readonly #pools: ConnectionPools;
  readonly #basePath: string;
  readonly #bucket: TokenBucket | undefined;

  constructor(connection: Connection, options: RequesterOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#pools = new ConnectionPools(connection, options);
    const url = new URL(connection.server);
    this.host = url.host;
    this.#basePath = url.pathname.replace(/\/+$/, "");
    if (options.qps && options.qps > 0) this.#bucket = new TokenBucket(options.qps, options.burst ?? options.qps * 2);
  }

  /** Resolves with the answer of a 2xx status; rejects with `ApiError`, `ConnectionError` or the abort reason. */
  async send(call: Call, streaming?: Streaming): Promise<HttpResponse> {
    const { attempts = 5 } = this.#options;
    const deadline = performance.now() + this.#timeoutMs(call);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(call, streaming);
      } catch (error) {
        const waitMs = attempt < attempts ? this.#retryDelay(call, error, attempt) : undefined;
        if (waitMs === undefined || performance.now() + waitMs > deadline) throw error;
        this.#options.observer?.retry?.(call.verb, this.host, codeOf(error));
        if (waitMs > 0) await sleep(waitMs, call.signal);
      }
    }
  }

  destroy(): Promise<void> {
    return this.#pools.destroy();
  }

  /** Milliseconds until the next attempt; undefined: this error stands. */
  #retryDelay(call: Call, error: unknown, attempt: number): number | undefined {
    const backoff = backoffMs(attempt - 1, FIRST_RETRY_MS, LONGEST_RETRY_MS);
    if (error instanceof ConnectionError) {
      const harmless = !error.sent || call.method !== "POST";
      return harmless && call.verb !== "watch" ? backoff : undefined;
    }
    if (!(error instanceof ApiError)) return undefined;
    if (error.code === 401) {
      this.#connection.identity.invalidate();
      return attempt === 1 ? 0 : undefined;
    }
    if (!asksToWait(error, call)) return undefined;
    return Math.max(backoff, Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS));
  }

  async #attempt(call: Call, streaming: Streaming | undefined): Promise<HttpResponse> {
    if (this.#bucket) await this.#throttle(this.#bucket, call);
    const current = this.#connection.identity.current();
    const identity = current instanceof Promise ? await current : current;
    const timeoutMs = this.#timeoutMs(call);
    const request: HttpRequest = {
      method: call.method,
      path: this.#basePath + call.path + queryString(call.query),
      headers: this.#headers(call, identity.authorization),
      body: call.body,
      headersTimeoutMs: timeoutMs,
      bodyTimeoutMs: streaming?.bodyTimeoutMs ?? timeoutMs,
      signal: call.signal,
      beforeSend: call.method === "GET" ? undefined : () => this.mayWrite(),
    };
    const pool = streaming ? this.#pools.watches(identity.tls) : this.#pools.requests(identity.tls);
    const maxBytes = this.#options.maxResponseBytes ?? 64 << 20;
    const startedAt = performance.now();
    let code = "<error>";
    let responseBytes = 0;
    try {
      const consumer = streaming && this.#consumer(call, streaming, startedAt);
      const response = await exchange(pool, request, maxBytes, consumer);
      code = String(response.status);
      responseBytes = response.body.length;
      if (response.status >= 400) throw toApiError(response);
      return response;
    } finally {
      if (!streaming || code !== "200") this.#record(call, code, startedAt, responseBytes);
    }
  }

  #consumer(call: Call, streaming: Streaming, startedAt: number): StreamConsumer {
    return {
      start: (status: number, _headers: IncomingHttpHeaders) => {
        if (status === 200) this.#record(call, "200", startedAt, 0);
        return status === 200;
      },
      data: (chunk: Buffer) => streaming.push(chunk),
    };
  }

  async #throttle(bucket: TokenBucket, call: Call): Promise<void> {
    const waitMs = bucket.take();
    if (waitMs > 0) await sleep(waitMs, call.signal);
    this.#options.observer?.throttled?.(call.verb, this.host, waitMs / 1000);
  }

  #headers(call: Call, authorization: string | undefined): Record<string, string | string[]> {
    return {
      accept: "application/json",
      "user-agent": this.#options.userAgent ?? "ray-operator",
      ...(call.body !== undefined && { "content-type": call.contentType ?? "application/json" }),
      ...(authorization && { authorization }),
      ...this.#connection.headers,
      ...call.headers,
    };
  }

  #record(call: Call, code: string, startedAt: number, responseBytes: number): void {
    this.#options.observer?.request?.({
      verb: call.verb,
      method: call.method,
      resource: call.resource,
      host: this.host,
      code,
      seconds: (performance.now() - startedAt) / 1000,
      requestBytes: call.body?.length ?? 0,
      responseBytes,
    });
  }

  #timeoutMs(call: Call): number {
    return call.timeoutMs ?? this.#options.timeoutMs ?? 30_000;
  }
}

/** Whether the server wants the request later; a create only where it surely has not been carried out. */
function asksToWait(error: ApiError, call: Call): boolean {
  if (error.code === 429) return true;
  if (error.retryAfterMs === undefined) return false;
  return call.method === "POST" ? error.code === 503 : error.code >= 500;
}

function queryString(query: Call["query"]): string {
  if (!query) return "";
  let text = "";
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") text += `${text ? "&" : "?"}${name}=${encodeURIComponent(value)}`;
  }
  return text;
}

function toApiError(response: HttpResponse): ApiError {
  const text = response.body.toString("utf8");
  const retryAfter = Number(response.headers["retry-after"]);
  const retryAfterMs = Number.isFinite(retryAfter) && retryAfter >= 0 ? retryAfter * 1000 : undefined;
  return new ApiError(response.status, parseStatus(text), retryAfterMs);
}

// Proxies and load balancers in front of the server answer with text or HTML.
function parseStatus(text: string): Status {
  try {
    const status = JSON.parse(text) as Status;
    if (status?.kind === "Status") return status;
  } catch {
    // Not JSON: the text itself is all there is to show.
  }
  return { message: text.trim().slice(0, 1000) };
}

function codeOf(error: unknown): string {
  return error instanceof ApiError ? String(error.code) : "<error>";
}
