// One HTTP exchange over an undici pool, with as little as possible between the socket and the caller: undici's
// dispatch handlers instead of its response streams, because they tell the moment a request is written to the socket
// (the last chance to hold a write back) and cost less per request.
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { ConnectionError, ResponseTooLargeError } from "./errors.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly headers: Record<string, string | string[]>;
  readonly body?: string | undefined;
  /** Longest wait for the answer's headers, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** Longest silence within the answer's body, in milliseconds. */
  readonly bodyTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called when the request is about to be written to a socket; what it throws ends the request unsent. */
  readonly beforeSend?: (() => void) | undefined;
}

/** What a streamed answer is handed to, in order; what these throw ends the request. */
export interface StreamConsumer {
  /** False: this answer is collected as a whole instead. */
  start(status: number, headers: IncomingHttpHeaders): boolean;
  data(chunk: Buffer): void;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Empty when the answer was streamed. */
  readonly body: Buffer;
}

/**
 * Sends one request and resolves when its answer is complete. Rejects with `ConnectionError`, with the signal's reason
 * when aborted, or with what `beforeSend` or the consumer threw.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  maxBytes: number,
  consumer?: StreamConsumer,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    if (request.signal?.aborted) return reject(abortReason(request.signal));
    const handler = new ExchangeHandler(request, maxBytes, consumer, resolve, reject);
    dispatcher.dispatch(
      {
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
        headersTimeout: request.headersTimeoutMs,
        bodyTimeout: request.bodyTimeoutMs,
      },
      handler,
    );
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #maxBytes: number;
  readonly #consumer: StreamConsumer | undefined;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort: (() => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #own: { readonly error: unknown } | undefined;
  #sent = false;
  #streaming = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    request: HttpRequest,
    maxBytes: number,
    consumer: StreamConsumer | undefined,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#maxBytes = maxBytes;
    this.#consumer = consumer;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal } = request;
    if (signal) {
      this.#onAbort = () => this.#end(abortReason(signal));
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#own) {
      controller.abort(toError(this.#own.error));
      return;
    }
    try {
      this.#request.beforeSend?.();
      this.#sent = true;
    } catch (error) {
      this.#end(error);
    }
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    this.#streaming = this.#consumer?.start(status, headers) ?? false;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#own) return;
    if (this.#streaming) {
      try {
        this.#consumer?.data(chunk);
      } catch (error) {
        this.#end(error);
      }
      return;
    }
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#end(
        new ResponseTooLargeError(
          `the answer to ${this.#request.method} ${this.#request.path} is larger than ${this.#maxBytes} bytes`,
        ),
      );
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#detach();
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#detach();
    this.#reject(this.#own ? this.#own.error : new ConnectionError(error, this.#sent));
  }

  /** Ends the exchange from our side; one that still waits for a socket is dropped when its turn comes. */
  #end(error: unknown): void {
    if (this.#own) return;
    this.#own = { error };
    if (this.#controller) this.#controller.abort(toError(error));
    else this.#detach();
    this.#reject(error);
  }

  #detach(): void {
    if (this.#onAbort) this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}

function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new DOMException("aborted", "AbortError");
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
