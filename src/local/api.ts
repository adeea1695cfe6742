// A few calls to the local API server. The operator's own client is what many tests test, so this does not use it.

import { setTimeout as sleep } from "node:timers/promises";
import request from "undici/lib/api/api-request.js";
import Pool from "undici/lib/dispatcher/pool.js";

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
export const applyPatch = "application/apply-patch+yaml";

/** A small client: JSON in, JSON out, errors as {@link ApiError}. */
export class LocalApi {
  readonly #pool: Pool;

  constructor(access: ApiAccess) {
    const { ca, cert, key, socketPath } = access;
    const connect = socketPath === undefined ? { ca, cert, key } : { ca, cert, key, socketPath };
    this.#pool = new Pool(access.url, { connect, connections: 16, headersTimeout: 60_000, bodyTimeout: 60_000 });
  }

  get<T>(path: string): Promise<T> {
    return this.request<T>("GET", path);
  }

  async request<T>(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<T> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await request.call(this.#pool, {
      method,
      path,
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": contentType }) },
      ...(body === undefined ? {} : { body: text }),
    });
    const received = await answer.body.text();
    if (answer.statusCode >= 400) throw new ApiError(method, path, answer.statusCode, received);
    const json = String(answer.headers["content-type"] ?? "").includes("json");
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
    } catch {
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
    const answer = await request.call(this.#pool, { method: "GET", path: `${path}?${query}`, bodyTimeout: 0, signal });
    if (answer.statusCode >= 400) {
      throw new ApiError("WATCH", path, answer.statusCode, await answer.body.text());
    }
    onStart();
    answer.body.setEncoding("utf8");
    let rest = "";
    for await (const chunk of answer.body) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onEvent(JSON.parse(line) as WatchEvent<T>);
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** The message of a `Status` object, else the text itself. */
function message(body: string): string {
  try {
    return String((JSON.parse(body) as { message?: string }).message ?? body);
  } catch {
    return body;
  }
}
