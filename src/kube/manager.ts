// Owns what all controllers share: the client, the caches, the limiter, events and the leader lease; starts it all in
// the right order and ends it in the reverse one.
import { Applier, type WriteSink } from "./apply.ts";
import { type CacheOptions, ObjectCache } from "./cache.ts";
import { Client, type ClientOptions } from "./client.ts";
import { Controller } from "./controller.ts";
import { NotLeaderError } from "./errors.ts";
import { type EventRecorder, EventSink } from "./events.ts";
import type { Connection } from "./kubeconfig.ts";
import { LeaderElector } from "./leader-election.ts";
import { Limiter } from "./limiter.ts";
import type { ControllerMetrics, RuntimeMetrics } from "./metrics.ts";
import { WorkQueue } from "./queue.ts";
import type { Reconciler } from "./reconciler.ts";
import { Reflector } from "./reflector.ts";
import type { RequestObserver } from "./requester.ts";
import { typeKey } from "./resource-path.ts";
import type { Source } from "./sources.ts";
import { sleep } from "./time.ts";
import type { KubeObject, Logger, ResourceType } from "./types.ts";

export interface ManagerOptions {
  readonly connection: Connection;
  readonly log: Logger;
  readonly client?: Omit<ClientOptions, "observer">;
  readonly metrics?: RuntimeMetrics | undefined;
  /** Off when missing. */
  readonly leaderElection?: LeaseOptions | undefined;
  /** Namespaces of all caches; all when empty. */
  readonly namespaces?: readonly string[];
  /** Writes of actions at once, over all controllers. Default 32 (ADR 1 has the measurements). */
  readonly writeParallelism?: number;
  /** How long running reconciles may take to end at a graceful stop, milliseconds. Default 20,000. */
  readonly gracefulStopMs?: number;
  readonly list?: "stream" | "pages";
}

export interface LeaseOptions {
  readonly name: string;
  readonly namespace: string;
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
}

export interface ControllerDefinition<Seen, Status> {
  readonly reconciler: Reconciler<Seen, Status>;
  readonly sources: readonly Source[];
  /** Keys worked on at once. Default 32. */
  readonly concurrency?: number;
  readonly maxDelayMs?: number;
}

/** For health endpoints. */
export interface Health {
  /** Without leader election always true. */
  readonly leading: boolean;
  /** Whether all caches are complete; a standby's are empty. */
  readonly synced: boolean;
  /** When the API server last answered, milliseconds since the epoch. */
  readonly lastAnswerAt: number | undefined;
}

const LEASE_TIMEOUT_MS = 5_000;
const FLUSH_MS = 3_000;
/** For what does not go through the limiter: status writes and events do not wait behind a thousand creates. */
const SPARE_CONNECTIONS = 8;

export class Manager {
  readonly client: Client;
  readonly log: Logger;
  readonly #options: ManagerOptions;
  readonly #leaseClient: Client | undefined;
  readonly #elector: LeaderElector | undefined;
  readonly #applier: Applier;
  readonly #events: EventSink;
  readonly #caches: ObjectCache[] = [];
  readonly #cachesByType = new Map<string, ObjectCache[]>();
  readonly #definitions: {
    readonly start: (signal: AbortSignal) => Controller<never, never>;
    readonly metrics: ControllerMetrics | undefined;
  }[] = [];
  #lastAnswerAt: number | undefined;
  #synced = false;

  constructor(options: ManagerOptions) {
    const { connection, log, leaderElection } = options;
    this.#options = options;
    this.log = log;
    const observer = this.#observer(options.metrics?.client);
    const parallelism = options.writeParallelism ?? 32;
    const connections = parallelism + SPARE_CONNECTIONS;
    this.client = new Client(connection, { connections, ...options.client, observer });
    if (leaderElection) {
      this.#leaseClient = new Client(connection, {
        userAgent: `${options.client?.userAgent ?? "ray-operator"}/leader-election`,
        timeoutMs: LEASE_TIMEOUT_MS,
        attempts: 2,
        connections: 2,
        observer,
      });
      this.#elector = new LeaderElector({ ...leaderElection, client: this.#leaseClient, log });
      this.client.gateWrites(this.#elector.check);
      options.metrics?.leading(leaderElection.name, false);
    }
    this.#events = new EventSink({ client: this.client, log });
    this.#applier = new Applier({
      client: this.client,
      limiter: new Limiter(parallelism),
      sink: this.sink,
    });
  }

  /** Where the answers of own writes go: into every cache of that kind. */
  readonly sink: WriteSink = {
    written: (type, object) => this.#cachesOf(type).forEach((cache) => void cache.written(object)),
    deleting: (type, object) => this.#cachesOf(type).forEach((cache) => void cache.deleting(object)),
    gone: (type, object) => this.#cachesOf(type).forEach((cache) => void cache.gone(object)),
  };

  /** A cache that is filled while this process leads. Before `run` only. */
  cache<T extends KubeObject>(options: CacheOptions<T>): ObjectCache<T> {
    const cache = new ObjectCache<T>({ namespaces: this.#options.namespaces, log: this.log, ...options });
    this.#caches.push(cache as unknown as ObjectCache);
    const key = typeKey(options.type);
    this.#cachesByType.set(key, [...(this.#cachesByType.get(key) ?? []), cache as unknown as ObjectCache]);
    return cache;
  }

  /** A controller that works while this process leads. Before `run` only. */
  add<Seen, Status>(definition: ControllerDefinition<Seen, Status>): void {
    const { reconciler, sources, concurrency = 32 } = definition;
    const metrics = this.#options.metrics?.controller(reconciler.name, concurrency);
    const start = (signal: AbortSignal) => {
      const queue = new WorkQueue({
        observer: metrics?.queue,
        ...(definition.maxDelayMs && { maxDelayMs: definition.maxDelayMs }),
      });
      const controller = new Controller<Seen, Status>(
        {
          ...{ reconciler, sources, concurrency, queue, observer: metrics?.reconcile },
          ...{ client: this.client, applier: this.#applier, sink: this.sink },
          events: this.recorder(reconciler.name),
          log: this.log.child(`controllers.${reconciler.primary.kind}`),
        },
        signal,
      );
      return controller as unknown as Controller<never, never>;
    };
    this.#definitions.push({ start, metrics });
  }

  recorder(name: string): EventRecorder {
    return this.#events.recorder(name);
  }

  get health(): Health {
    return {
      leading: this.#elector?.leading ?? true,
      synced: this.#synced,
      lastAnswerAt: this.#lastAnswerAt,
    };
  }

  /**
   * Works until the signal is aborted, then ends gracefully: running reconciles end, events are written, the lease is
   * released. A lost lease stops all work at once and begins anew with waiting for the lease.
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        try {
          await this.#elector?.acquire(signal);
        } catch (error) {
          if (signal.aborted) return;
          throw error;
        }
        await this.#lead(signal);
      }
    } finally {
      await Promise.all([this.client.close(), this.#leaseClient?.close()]);
    }
  }

  /** One term: from winning the lease to losing it or to the stop. */
  async #lead(stop: AbortSignal): Promise<void> {
    const { leaderElection, metrics } = this.#options;
    const work = new AbortController();
    const holding = new AbortController();
    const lost = this.#hold(holding.signal, work);
    if (leaderElection) metrics?.leading(leaderElection.name, true);

    const controllers = this.#definitions.map((definition) => definition.start(work.signal));
    const detach = this.#definitions.map((definition, i) => definition.metrics?.attach(controllers[i] as never));
    const reflecting = this.#reflect(work.signal);
    void this.#startWhenSynced(controllers, work.signal, stop);

    await Promise.race([aborted(stop), lost]);
    if (!work.signal.aborted) await this.#drain(controllers, lost);
    work.abort(new NotLeaderError("stopping"));
    await Promise.all(controllers.map((controller) => controller.stop()));
    await reflecting;
    for (const end of detach) end?.();
    holding.abort();
    await lost;
    await this.#elector?.release();
    if (leaderElection) metrics?.leading(leaderElection.name, false);
    this.#synced = false;
    this.#events.clear();
    for (const cache of this.#caches) cache.clear();
  }

  /** Renews the lease; aborts all work as soon as it is lost. Resolves when it is lost or no longer to be held. */
  async #hold(signal: AbortSignal, work: AbortController): Promise<void> {
    if (this.#elector) await this.#elector.hold(signal);
    else await aborted(signal);
    if (!signal.aborted) work.abort(new NotLeaderError("the lease is lost"));
  }

  async #reflect(signal: AbortSignal): Promise<void> {
    const { list } = this.#options;
    const reflectors = this.#caches.flatMap((cache) =>
      cache.scopes.map((scope) => new Reflector(this.client, cache, scope, { log: this.log, ...(list && { list }) })),
    );
    await Promise.all(reflectors.map((reflector) => reflector.run(signal)));
  }

  async #startWhenSynced(
    controllers: readonly Controller<never, never>[],
    work: AbortSignal,
    stop: AbortSignal,
  ): Promise<void> {
    const startedAt = performance.now();
    await Promise.all(this.#caches.map((cache) => cache.whenSynced()));
    if (work.aborted || stop.aborted) return;
    this.#synced = true;
    this.log.info("caches are complete", {
      objects: this.#caches.reduce((sum, cache) => sum + cache.size, 0),
      seconds: Math.round(performance.now() - startedAt) / 1000,
    });
    for (const controller of controllers) controller.start();
  }

  /** A graceful stop: what is in flight may end and events are written, unless that takes too long or the lease goes. */
  async #drain(controllers: readonly Controller<never, never>[], lost: Promise<void>): Promise<void> {
    const { gracefulStopMs = 20_000 } = this.#options;
    const timeout = new AbortController();
    const stopped = Promise.all(controllers.map((controller) => controller.stop()));
    await Promise.race([stopped, sleep(gracefulStopMs, timeout.signal).catch(() => {}), lost]);
    timeout.abort();
    await this.#events.flush(FLUSH_MS);
  }

  #cachesOf(type: ResourceType): readonly ObjectCache[] {
    return this.#cachesByType.get(typeKey(type)) ?? [];
  }

  #observer(metrics: RequestObserver | undefined): RequestObserver {
    return {
      ...metrics,
      request: (record) => {
        if (record.code !== "<error>") this.#lastAnswerAt = Date.now();
        metrics?.request?.(record);
      },
    };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
