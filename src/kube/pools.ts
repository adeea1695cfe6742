// The sockets to one API server. Watches have a pool of their own, because over HTTP/1.1 each holds a connection for
// minutes and must not take it from requests.
import type { Dispatcher } from "undici";
import Pool from "undici/lib/dispatcher/pool.js";
import type { TlsMaterial } from "./identity.ts";
import type { Connection } from "./kubeconfig.ts";
import { tunnelConnector } from "./proxy-tunnel.ts";

export interface PoolOptions {
  /** Most sockets for requests. Default 32 (ADR 1 has the measurements). */
  readonly connections?: number;
  /** Longest wait for a socket to be connected, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long an unused socket stays open, in milliseconds. Default 60,000; the API server closes it after 90 s. */
  readonly keepAliveMs?: number;
}

interface Pools {
  readonly tls: TlsMaterial;
  readonly requests: Pool;
  readonly watches: Pool;
}

/** Gives the pools for the identity of the moment, and replaces them when its certificates change. */
export class ConnectionPools {
  readonly #origin: string;
  readonly #proxyUrl: string | undefined;
  readonly #options: PoolOptions;
  #pools: Pools | undefined;
  #closed = false;

  constructor(connection: Connection, options: PoolOptions) {
    this.#origin = new URL(connection.server).origin;
    this.#proxyUrl = connection.proxyUrl;
    this.#options = options;
  }

  requests(tls: TlsMaterial): Dispatcher {
    return this.#for(tls).requests;
  }

  watches(tls: TlsMaterial): Dispatcher {
    return this.#for(tls).watches;
  }

  /** Ends all connections; requests in flight fail. */
  async destroy(): Promise<void> {
    this.#closed = true;
    const pools = this.#pools;
    this.#pools = undefined;
    await Promise.all([pools?.requests.destroy(), pools?.watches.destroy()]);
  }

  #for(tls: TlsMaterial): Pools {
    if (this.#closed) throw new Error("the client is closed");
    if (this.#pools?.tls === tls) return this.#pools;
    const old = this.#pools;
    this.#pools = { tls, requests: this.#pool(tls, this.#options.connections ?? 32), watches: this.#pool(tls, null) };
    if (old) {
      // What is in flight may finish under the old certificate; watches resume where they are cut.
      old.requests.close().catch(() => {});
      old.watches.destroy().catch(() => {});
    }
    return this.#pools;
  }

  #pool(tls: TlsMaterial, connections: number | null): Pool {
    const { connectTimeoutMs = 5_000, keepAliveMs = 60_000 } = this.#options;
    return new Pool(this.#origin, {
      connections,
      pipelining: 1,
      // HTTP/2 costs the API server no less (ADR 1), and one stuck connection would hold up everything.
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      connect: this.#proxyUrl
        ? tunnelConnector(this.#proxyUrl, tls, connectTimeoutMs)
        : { ...tls, timeout: connectTimeoutMs },
    });
  }
}
