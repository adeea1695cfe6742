// Keeps a cache equal to a collection of the API server: a list, then a watch from the list's resourceVersion, and
// again where the watch ended. The list is streamed as the beginning of the watch where the server can do that (no page
// of many megabytes is ever held), and paged elsewhere.
import { ALL_NAMESPACES, type ObjectCache } from "./cache.ts";
import type { KubeClient } from "./client.ts";
import { ApiError, isExpired, messageOf } from "./errors.ts";
import { backoffMs, sleep } from "./time.ts";
import type { KubeObject, Logger } from "./types.ts";
import type { WatchEvent } from "./watch-stream.ts";

export interface ReflectorOptions {
  readonly log: Logger;
  /** `pages`: never ask for a streamed list. Default `stream`, which falls back by itself. */
  readonly list?: "stream" | "pages";
  /** Objects per page. Default 250: about 5 MB of pods. */
  readonly pageSize?: number;
  /** The server ends each watch after this time, seconds, up to doubled at random. Default 300. */
  readonly watchSeconds?: number;
}

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 10_000;
/** A server that knows no streamed lists may stay silent instead of saying so. */
const STREAM_START_MS = 30_000;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Reflects one scope (a namespace, or all) of a cache. */
export class Reflector<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #cache: ObjectCache<T>;
  readonly #scope: string;
  readonly #options: ReflectorOptions;
  #streams: boolean;
  /** Undefined: list first. */
  #resourceVersion: string | undefined;
  #failures = 0;

  constructor(client: KubeClient, cache: ObjectCache<T>, scope: string, options: ReflectorOptions) {
    this.#client = client;
    this.#cache = cache;
    this.#scope = scope;
    this.#options = options;
    this.#streams = options.list !== "pages";
  }

  /** Runs until the signal is aborted; never rejects. The first list is a quorum read. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        if (this.#resourceVersion === undefined && !this.#streams) await this.#listPages(signal);
        await this.#watch(signal);
        // A server (or a proxy) that ends every watch at once must not be asked again without a pause.
        if (performance.now() - startedAt < 1_000) await this.#pause(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const fields = { resource: this.#cache.type.plural, namespace: this.#scope || undefined, error: messageOf(error) };
    if (isExpired(error) && this.#resourceVersion !== undefined) {
      this.#options.log.info("the resourceVersion of a watch is too old, listing again", fields);
      this.#resourceVersion = undefined;
    } else if (this.#resourceVersion === undefined && this.#streams && isStreamRefusal(error)) {
      this.#options.log.info("the API server streams no lists, using pages", fields);
      this.#streams = false;
      return;
    } else {
      this.#options.log.warn("list or watch failed, trying again", fields);
    }
    await this.#pause(signal);
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await sleep(backoffMs(this.#failures++, FIRST_RETRY_MS, LONGEST_RETRY_MS), signal).catch(() => {});
  }

  async #listPages(signal: AbortSignal): Promise<void> {
    const objects: T[] = [];
    let resourceVersion = "";
    const options = { ...this.#selection(), signal, limit: this.#options.pageSize ?? 250 };
    try {
      for await (const page of this.#client.pages(this.#cache.type, options)) {
        for (const item of page.items) this.#take(item, (object) => objects.push(object));
        resourceVersion = page.resourceVersion;
      }
    } catch (error) {
      if (!isExpired(error)) throw error;
      // The continue token outlived etcd's history: the next attempt would fare no better, so all in one answer.
      const all = await this.#client.list(this.#cache.type, { ...this.#selection(), signal });
      objects.length = 0;
      for (const item of all.items) this.#take(item, (object) => objects.push(object));
      resourceVersion = all.resourceVersion;
    }
    this.#listed(objects, resourceVersion);
  }

  /** One watch, from the present resourceVersion or with a streamed list in front. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { watchSeconds = 300 } = this.#options;
    const start = this.#resourceVersion === undefined ? new StreamStart<T>(signal) : undefined;
    const options = {
      ...this.#selection(),
      signal: start?.signal ?? signal,
      timeoutSeconds: Math.ceil(watchSeconds * (1 + Math.random())),
      ...(start ? { sendInitialEvents: true } : { resourceVersion: this.#resourceVersion }),
    };
    try {
      await this.#client.watch(this.#cache.type, options, (event) => {
        if (this.#resourceVersion === undefined && start) this.#initialEvent(event, start);
        else this.#event(event);
      });
    } finally {
      start?.end();
    }
    if (this.#resourceVersion === undefined) throw new Error("a streamed list ended before it was complete");
  }

  /** What changes while the list comes in arrives among it, before the bookmark that ends it. */
  #initialEvent(event: WatchEvent, start: StreamStart<T>): void {
    start.alive();
    const { uid = "", annotations, resourceVersion = "" } = event.object.metadata;
    if (event.type === "BOOKMARK") {
      if (annotations?.[INITIAL_EVENTS_END] !== "true") return;
      start.end();
      this.#listed([...start.objects.values()], resourceVersion);
    } else if (event.type === "DELETED") {
      start.objects.delete(uid);
      this.#take(event.object, (object) => this.#cache.event("DELETED", object));
    } else {
      this.#take(event.object, (object) => start.objects.set(uid, object));
    }
  }

  #event(event: WatchEvent): void {
    const { type } = event;
    if (type !== "BOOKMARK") this.#take(event.object, (object) => this.#cache.event(type, object));
    this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
    this.#failures = 0;
  }

  /** An object that the cache's own functions choke on is left out and logged; it must not stop all others. */
  #take(object: KubeObject, use: (projected: T) => void): void {
    try {
      use(this.#cache.project(object));
    } catch (error) {
      const { namespace, name } = object.metadata ?? {};
      const stacktrace = error instanceof Error ? error.stack : undefined;
      const fields = { resource: this.#cache.type.plural, namespace, name, error: messageOf(error), stacktrace };
      this.#options.log.error("an object cannot be taken into the cache", fields);
    }
  }

  #listed(objects: readonly T[], resourceVersion: string): void {
    this.#cache.replace(objects, resourceVersion, this.#scope);
    this.#resourceVersion = resourceVersion;
    this.#failures = 0;
    this.#options.log.debug("listed", {
      resource: this.#cache.type.plural,
      namespace: this.#scope || undefined,
      objects: objects.length,
      resourceVersion,
    });
  }

  #selection(): { namespace: string | undefined; labelSelector: string | undefined } {
    return {
      namespace: this.#scope === ALL_NAMESPACES ? undefined : this.#scope,
      labelSelector: this.#cache.labelSelector,
    };
  }
}

/** A streamed list while it comes in, and the watchdog over its silence. */
class StreamStart<T> {
  /** By UID. */
  readonly objects = new Map<string, T>();
  readonly signal: AbortSignal;
  readonly #silence = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#silence.signal]);
    this.#timer = setTimeout(() => this.#silence.abort(new StreamSilentError()), STREAM_START_MS);
  }

  alive(): void {
    this.#timer?.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

class StreamSilentError extends Error {
  override readonly message = "no event of a streamed list came in time";
}

function isStreamRefusal(error: unknown): boolean {
  return (
    error instanceof StreamSilentError || (error instanceof ApiError && (error.code === 400 || error.code === 422))
  );
}
