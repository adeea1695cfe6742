// A few calls to the local API server. The operator's own client is what many tests test, so this does not use it.

import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** How to reach an API server as somebody. */
export interface ApiAccess {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** A Unix socket that leads to the API server, for a process without its network. */
  readonly socketPath?: string;
}

/** The API server answered with an error. */
export class ApiError extends Error {
  readonly status: number;

  constructor(method: string, path: string, status: number, body: string) {
    super(`${method} ${path}: ${status} ${message(body)}`);
    this.name = "ApiError";
    this.status = status;
  }
}

/** One line of a watch. */
export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

export const mergePatch = "application/merge-patch+json";

/** Longest silence of a call that is no watch, in milliseconds. */
const TIMEOUT_MS = 60_000;

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  readonly contentType?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A small client: JSON in, JSON out, errors as {@link ApiError}. */
export class LocalApi {
  readonly #url: URL;
  readonly #socketPath: string | undefined;
  readonly #agent: Agent;

  constructor({ url, ca, cert, key, socketPath }: ApiAccess) {
    this.#url = new URL(url);
    this.#socketPath = socketPath;
    this.#agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: 32 });
  }

  get<T>(path: string): Promise<T> {
    return this.request<T>("GET", path);
  }

  async request<T>(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<T> {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const answer = await this.#send({ method, path, body: text, contentType, timeoutMs: TIMEOUT_MS });
    const received = await read(answer);
    if (status(answer) >= 400) throw new ApiError(method, path, status(answer), received);
    const json = answer.headers["content-type"]?.includes("json") ?? false;
    return (json ? JSON.parse(received) : received) as T;
  }

  /** Creates the object, or does nothing when there is one of that name. */
  async createIfMissing(path: string, body: unknown): Promise<void> {
    try {
      await this.request("POST", path, body);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
  }

  /** Whether the path answers without error; a server that cannot be reached counts as no. */
  async answers(path: string): Promise<boolean> {
    try {
      await this.request("GET", path);
      return true;
    } catch (error) {
      if (error instanceof TypeError) throw error;
      return false;
    }
  }

  /**
   * Tells every object of a collection as an ADDED event and then all changes, for as long as `signal` allows. Every
   * connection, the first and those after a cut, starts over with `onStart`, then ADDED for all.
   */
  async watch<T>(
    path: string,
    onEvent: (event: WatchEvent<T>) => void,
    signal: AbortSignal,
    onStart: () => void = () => {},
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#watchOnce(path, onEvent, signal, onStart);
      } catch {
        // The server restarts, or is not there yet.
      }
      await sleep(300, undefined, { signal }).catch(() => {});
    }
  }

  async #watchOnce<T>(
    path: string,
    onEvent: (event: WatchEvent<T>) => void,
    signal: AbortSignal,
    onStart: () => void,
  ): Promise<void> {
    // Without a resourceVersion a watch starts with synthetic ADDED events of everything there is.
    const query = "watch=true&allowWatchBookmarks=true";
    const answer = await this.#send({ method: "GET", path: `${path}?${query}`, timeoutMs: 0, signal });
    if (status(answer) >= 400) throw new ApiError("WATCH", path, status(answer), await read(answer));
    onStart();
    answer.setEncoding("utf8");
    let rest = "";
    for await (const chunk of answer) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onEvent(JSON.parse(line) as WatchEvent<T>);
    }
  }

  /** Ends all connections, those of watches included. */
  close(): void {
    this.#agent.destroy();
  }

  #send({ method, path, body, contentType, timeoutMs, signal }: Call): Promise<IncomingMessage> {
    const headers = {
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(body) }),
    };
    const { hostname: host, port } = this.#url;
    const way = this.#socketPath === undefined ? { host, port } : { socketPath: this.#socketPath };
    return new Promise((resolve, reject) => {
      const call = httpsRequest(
        { ...way, agent: this.#agent, method, path, headers, timeout: timeoutMs, ...(signal ? { signal } : {}) },
        resolve,
      );
      call.on("error", reject);
      call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs / 1000} s`)));
      call.end(body);
    });
  }
}

function status(answer: IncomingMessage): number {
  return answer.statusCode ?? 0;
}

async function read(answer: IncomingMessage): Promise<string> {
  answer.setEncoding("utf8");
  let text = "";
  for await (const chunk of answer) text += chunk;
  return text;
}

/** The message of a `Status` object, else the text itself. */
function message(body: string): string {
  try {
    return String((JSON.parse(body) as { message?: string }).message ?? body);
  } catch {
    return body;
  }
}
