// One leader among several replicas, by a Lease (coordination.k8s.io/v1), in the way and with the meaning of client-go's
// leader election, so that replicas of both kinds exclude each other.
import type { KubeClient } from "./client.ts";
import { isAlreadyExists, isConflict, isNotFound, messageOf, NotLeaderError } from "./errors.ts";
import { microTime } from "./events.ts";
import { type Clock, sleep, systemClock } from "./time.ts";
import type { KubeObject, Logger, ObjectReference, ResourceType } from "./types.ts";

export interface LeaderElectionOptions {
  /** A client of its own (short time-outs, no gate), so that a busy operator does not keep its lease waiting. */
  readonly client: KubeClient;
  readonly log: Logger;
  /** Name of the Lease, such as `ray-operator-leader`. */
  readonly name: string;
  readonly namespace: string;
  /** `<hostname>_<uuid>`; distinct for each process. */
  readonly identity: string;
  /** How long others wait after the last renewal before they take the lease. Default 15,000 ms. */
  readonly leaseDurationMs?: number;
  /** The leader that could not renew for so long has lost. Default 10,000 ms. */
  readonly renewDeadlineMs?: number;
  /** Pause between attempts to acquire or renew. Default 2,000 ms. */
  readonly retryPeriodMs?: number;
  readonly clock?: Clock;
}

export const LEASES: ResourceType = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

/** A lease of others and since when (by our own monotonic clock) it has not changed. */
interface Observed {
  readonly record: string;
  readonly at: number;
}

export class LeaderElector {
  readonly #options: LeaderElectionOptions;
  readonly #clock: Clock;
  readonly #reference: ObjectReference;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  /** When the last successful renewal was begun, monotonic; undefined: not the leader. */
  #renewedAt: number | undefined;
  #lease: Lease | undefined;
  #observed: Observed | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#reference = { type: LEASES, namespace: options.namespace, name: options.name };
    if (!(this.#leaseDurationMs > this.#renewDeadlineMs && this.#renewDeadlineMs > this.#retryPeriodMs)) {
      throw new Error("the lease duration must be longer than the renew deadline, and that than the retry period");
    }
  }

  /** Whether this process is surely the leader at this moment. */
  get leading(): boolean {
    return this.#renewedAt !== undefined && this.#clock.monotonic() - this.#renewedAt < this.#renewDeadlineMs;
  }

  /** The gate of every write: throws unless the lease is surely ours. Needs no timer, so a stalled process cannot err. */
  readonly check = (): void => {
    if (!this.leading) throw new NotLeaderError(`lease ${this.#options.name} is not held`);
  };

  /** Resolves when the lease is won; rejects when the signal is aborted. */
  async acquire(signal: AbortSignal): Promise<void> {
    const { log, name, identity } = this.#options;
    log.info("waiting for the leader lease", { lease: name, identity });
    for (;;) {
      try {
        if (await this.#tryAcquire(signal)) return log.info("became the leader", { lease: name, identity });
      } catch (error) {
        if (signal.aborted) throw error;
        log.warn("cannot get the leader lease", { lease: name, error: messageOf(error) });
      }
      // Jittered, like client-go's: replicas that start together do not ask together.
      await sleep(this.#retryPeriodMs * (1 + Math.random() / 5), signal, this.#clock);
    }
  }

  /** Renews the lease until it is lost (resolves) or the signal is aborted (resolves too; the lease is still held). */
  async hold(signal: AbortSignal): Promise<void> {
    const { log, name } = this.#options;
    while (!signal.aborted) {
      const renewedAt = this.#renewedAt ?? Number.NEGATIVE_INFINITY;
      const leftMs = renewedAt + this.#renewDeadlineMs - this.#clock.monotonic();
      if (leftMs <= 0) {
        log.error("the leader lease could not be renewed in time", { lease: name });
        break;
      }
      try {
        await sleep(Math.min(this.#retryPeriodMs, leftMs), signal, this.#clock);
        if (!(await this.#renew(signal))) {
          log.error("the leader lease was taken by another", { lease: name });
          break;
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("cannot renew the leader lease, trying again", { lease: name, error: messageOf(error) });
      }
    }
    if (!signal.aborted) this.#lost();
  }

  /** Gives the lease up, so that another takes it at once. Only when all work has ended. Never rejects. */
  async release(): Promise<void> {
    const { client, identity, log, name } = this.#options;
    const held = this.leading;
    this.#lost();
    if (!held) return;
    const now = microTime(this.#clock.now());
    try {
      // Read anew: the last renewal may have been cut off before its answer came.
      const lease = await client.get<Lease>(this.#reference);
      if (lease.spec?.holderIdentity !== identity) return;
      const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
      await client.update(LEASES, { ...lease, spec } as Lease);
      log.info("released the leader lease", { lease: name });
    } catch (error) {
      log.warn("cannot release the leader lease", { lease: name, error: messageOf(error) });
    }
  }

  #lost(): void {
    this.#renewedAt = undefined;
    this.#lease = undefined;
    this.#observed = undefined;
  }

  async #tryAcquire(signal: AbortSignal): Promise<boolean> {
    const { client, identity } = this.#options;
    const startedAt = this.#clock.monotonic();
    const current = await client.get<Lease>(this.#reference, { signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (current && !this.#mayTake(current, startedAt)) return false;
    try {
      const lease = this.#claim(current, identity);
      this.#lease = current
        ? await client.update<Lease>(LEASES, lease, { signal })
        : await client.create<Lease>(LEASES, lease, { signal });
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) return false;
      throw error;
    }
    this.#renewedAt = startedAt;
    return true;
  }

  // Clocks of different machines are not compared: a lease has run out when it did not change for its duration here.
  #mayTake(lease: Lease, now: number): boolean {
    const { holderIdentity = "", renewTime, leaseDurationSeconds } = lease.spec ?? {};
    if (holderIdentity === "" || holderIdentity === this.#options.identity) return true;
    const record = [holderIdentity, renewTime, lease.metadata.resourceVersion].join(" ");
    if (this.#observed?.record !== record) this.#observed = { record, at: now };
    const durationMs = leaseDurationSeconds ? leaseDurationSeconds * 1000 : this.#leaseDurationMs;
    return now - this.#observed.at > durationMs;
  }

  #claim(current: Lease | undefined, identity: string): Lease {
    const { name, namespace } = this.#options;
    const now = microTime(this.#clock.now());
    const before = current?.spec;
    const same = before?.holderIdentity === identity;
    return {
      apiVersion: LEASES.apiVersion,
      kind: LEASES.kind,
      metadata: current?.metadata ?? { name, namespace },
      spec: {
        ...before,
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
        acquireTime: (same && before?.acquireTime) || now,
        renewTime: now,
        leaseTransitions: (before?.leaseTransitions ?? 0) + (current && !same ? 1 : 0),
      },
    };
  }

  /** False: the lease belongs to another now. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    const { client, identity } = this.#options;
    const startedAt = this.#clock.monotonic();
    const leftMs = (this.#renewedAt ?? startedAt) + this.#renewDeadlineMs - startedAt;
    const options = { signal, timeoutMs: Math.max(500, Math.min(5_000, leftMs)) };
    try {
      this.#lease = await client.update<Lease>(LEASES, this.#claim(this.#lease, identity), options);
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      return this.#reread(startedAt, options);
    }
    this.#renewedAt = startedAt;
    return true;
  }

  // Someone wrote the lease: perhaps ourselves (an answer was lost), perhaps a person who added a label.
  async #reread(startedAt: number, options: { signal: AbortSignal; timeoutMs: number }): Promise<boolean> {
    const { client, identity } = this.#options;
    const current = await client.get<Lease>(this.#reference, options).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (current && current.spec?.holderIdentity !== identity) return false;
    const claim = this.#claim(current, identity);
    this.#lease = current
      ? await client.update<Lease>(LEASES, claim, options)
      : await client.create<Lease>(LEASES, claim, options);
    this.#renewedAt = startedAt;
    return true;
  }
}
