// The Kubernetes API as functions: get, list, watch, create, update, patch, delete.
import type { Status } from "./errors.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import type { Connection } from "./kubeconfig.ts";
import { type Call, Requester, type RequesterOptions } from "./requester.ts";
import { collectionPath, objectPath } from "./resource-path.ts";
import type { KubeObject, ObjectReference, ResourceType } from "./types.ts";
import { WatchDecoder, type WatchEvent } from "./watch-stream.ts";

export type ClientOptions = RequesterOptions;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Instead of the client's. */
  readonly timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  /** One namespace; all when missing. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Objects per page. */
  readonly limit?: number;
  readonly continue?: string | undefined;
  /** Missing: the answer is as fresh as the last write (a quorum read). */
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan";
}

export interface ListPage<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  /** Token for the next page; empty after the last. */
  readonly continue: string;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly subresource?: string | undefined;
}

export interface PatchOptions extends WriteOptions {
  readonly type: "merge" | "json" | "apply";
  /** Server-side apply takes fields over from other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Precondition: only while the object has this UID (else 409). */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly gracePeriodSeconds?: number;
}

export interface WatchOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** Begin with the present objects as ADDED events and a bookmark (streamed list). */
  readonly sendInitialEvents?: boolean;
  /** The server ends the watch after this many seconds. */
  readonly timeoutSeconds?: number;
  /** Longest silence, in milliseconds; bookmarks come about every minute. 0: for ever. Default 180,000. */
  readonly silenceMs?: number;
}

export interface RawRequest extends CallOptions {
  readonly method: HttpRequest["method"];
  /** Path and query on the API server. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly headers?: Record<string, string>;
  /** Label of the metrics. */
  readonly resource?: string;
}

const PATCH_TYPES = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  apply: "application/apply-patch+yaml",
} as const;
/** Longest time the server works on one write. */
const SERVER_TIMEOUT_SECONDS = 25;

/** What the runtime uses of a client; a model of an API server can stand in for it. */
export type KubeClient = Pick<
  Client,
  "get" | "list" | "pages" | "create" | "update" | "updateStatus" | "patch" | "delete" | "watch"
>;

/**
 * A client of one API server. All calls reject with `ApiError` (the server said no), `ConnectionError` (no answer) or
 * the abort signal's reason. Overload (429) and broken connections are tried again a few times; a create is repeated
 * only when it surely did not reach the server.
 */
export class Client {
  readonly connection: Connection;
  readonly #requester: Requester;

  constructor(connection: Connection, options: ClientOptions = {}) {
    this.connection = connection;
    this.#requester = new Requester(connection, options);
  }

  /** `host:port` of the server, as metrics label it. */
  get host(): string {
    return this.#requester.host;
  }

  /**
   * Installs the gate that every write asks at the moment it is put on the socket, again for each attempt; it throws
   * when this process may not write (`LeaderElector.check`).
   */
  gateWrites(mayWrite: () => void): void {
    this.#requester.mayWrite = mayWrite;
  }

  get<T extends KubeObject>(reference: ObjectReference, options: CallOptions = {}): Promise<T> {
    const path = objectPath(reference);
    return this.#json({ ...options, verb: "get", method: "GET", resource: reference.type.plural, path });
  }

  async list<T extends KubeObject>(type: ResourceType, options: ListOptions = {}): Promise<ListPage<T>> {
    const { namespace, signal, timeoutMs = 60_000, ...query } = options;
    const list = await this.#json<{ items: T[] | null; metadata: { resourceVersion?: string; continue?: string } }>({
      verb: "list",
      method: "GET",
      resource: type.plural,
      path: collectionPath(type, namespace),
      query,
      signal,
      timeoutMs,
    });
    return {
      items: list.items ?? [],
      resourceVersion: list.metadata.resourceVersion ?? "",
      continue: list.metadata.continue ?? "",
    };
  }

  /** All pages of a list, one after the other. A list that takes minutes may end with 410 (`isExpired`). */
  async *pages<T extends KubeObject>(type: ResourceType, options: ListOptions = {}): AsyncGenerator<ListPage<T>> {
    let token = options.continue;
    do {
      const page = await this.list<T>(type, { limit: 500, ...options, continue: token });
      yield page;
      token = page.continue;
    } while (token);
  }

  create<T extends KubeObject>(type: ResourceType, object: KubeObject, options: WriteOptions = {}): Promise<T> {
    return this.#json({
      ...writeCall(options),
      verb: "create",
      method: "POST",
      resource: type.plural,
      path: options.subresource
        ? objectPath({ type, ...object.metadata }, options.subresource)
        : collectionPath(type, object.metadata.namespace),
      body: JSON.stringify(object),
    });
  }

  /** Replaces the object; with a resourceVersion in it only while that is the stored one (else 409). */
  update<T extends KubeObject>(type: ResourceType, object: KubeObject, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    return this.#json({
      ...writeCall(options),
      verb: "update",
      method: "PUT",
      resource: type.plural,
      path: objectPath({ type, namespace, name }, options.subresource),
      body: JSON.stringify(object),
    });
  }

  updateStatus<T extends KubeObject>(type: ResourceType, object: KubeObject, options: WriteOptions = {}): Promise<T> {
    return this.update<T>(type, object, { ...options, subresource: "status" });
  }

  patch<T extends KubeObject>(reference: ObjectReference, patch: unknown, options: PatchOptions): Promise<T> {
    const call = writeCall(options);
    return this.#json({
      ...call,
      query: { ...call.query, force: options.force },
      verb: "patch",
      method: "PATCH",
      resource: reference.type.plural,
      path: objectPath(reference, options.subresource),
      contentType: PATCH_TYPES[options.type],
      body: JSON.stringify(patch),
    });
  }

  /** The answer is the object as it was last, or as it is now while it terminates, or a `Status`. */
  delete(reference: ObjectReference, options: DeleteOptions = {}): Promise<KubeObject | Status> {
    const { uid, resourceVersion, propagationPolicy = "Background", gracePeriodSeconds, ...call } = options;
    const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy,
      ...((uid || resourceVersion) && { preconditions }),
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    };
    return this.#json({
      ...call,
      verb: "delete",
      method: "DELETE",
      resource: reference.type.plural,
      path: objectPath(reference),
      body: JSON.stringify(body),
    });
  }

  /**
   * Watches a collection and calls `onEvent` for each event, in order and synchronously; what that throws ends the
   * watch. Resolves when the server ends the watch, rejects with 410 when the resourceVersion is too old, and with
   * `ConnectionError` when the stream breaks.
   */
  async watch(type: ResourceType, options: WatchOptions, onEvent: (event: WatchEvent) => void): Promise<void> {
    const { namespace, signal, timeoutMs, silenceMs = 180_000, ...query } = options;
    const decoder = new WatchDecoder(onEvent);
    const call: Call = {
      verb: "watch",
      method: "GET",
      resource: type.plural,
      path: collectionPath(type, namespace),
      query: {
        ...query,
        watch: true,
        allowWatchBookmarks: true,
        ...(options.sendInitialEvents && { resourceVersionMatch: "NotOlderThan" }),
      },
      signal,
      timeoutMs,
    };
    await this.#requester.send(call, { bodyTimeoutMs: silenceMs, push: (chunk) => decoder.push(chunk) });
  }

  /** Any other request, such as through the service proxy or for discovery. */
  raw(request: RawRequest): Promise<HttpResponse> {
    return this.#requester.send({ resource: "raw", ...request, verb: "raw" });
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#requester.destroy();
  }

  async #json<T>(call: Call): Promise<T> {
    const { body } = await this.#requester.send(call);
    return JSON.parse(body.toString("utf8")) as T;
  }
}

// The server is told our own time-out as well, so that a write does not go on there long after we gave it up.
function writeCall(options: WriteOptions): Pick<Call, "signal" | "timeoutMs" | "query"> {
  const { signal, timeoutMs, fieldManager, dryRun } = options;
  return {
    signal,
    timeoutMs,
    query: { fieldManager, dryRun: dryRun ? "All" : undefined, timeout: `${SERVER_TIMEOUT_SECONDS}s` },
  };
}
