// Free ports for programs that are to listen.

import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * `count` different ports that nothing listened on a moment ago at `address`. The ports in `preferred` are taken where
 * they are free within `patienceMs`, so that a cluster that starts again keeps its addresses: a killed program can still
 * hold its port for a moment after it has gone from the process table.
 */
export async function freePorts(
  count: number,
  address = "127.0.0.1",
  preferred: readonly number[] = [],
  patienceMs = 0,
): Promise<number[]> {
  const held: Held[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const wish = preferred[i];
      held.push((wish && (await holdWithin(patienceMs, wish, address))) || (await holdAny(address)));
    }
    return held.map((one) => one.port);
  } finally {
    // All stay taken until the last is chosen, so that they differ.
    await Promise.all(held.map((one) => one.release()));
  }
}

interface Held {
  readonly port: number;
  release(): Promise<void>;
}

/**
 * A port below those that the kernel gives to outgoing connections. One of theirs could be taken by a connection
 * between two runs of a program, or between this choice and its start, and stays taken for a minute after its end.
 */
async function holdAny(address: string): Promise<Held> {
  const [from, to] = [20_000, firstOutgoingPort()];
  for (let attempt = 0; attempt < 50 && to - from > 1_000; attempt++) {
    const held = await hold(from + Math.floor(Math.random() * (to - from)), address);
    if (held) return held;
  }
  const held = await hold(0, address);
  if (!held) throw new Error(`no free port at ${address}`);
  return held;
}

async function holdWithin(patienceMs: number, port: number, address: string): Promise<Held | undefined> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const held = await hold(port, address);
    if (held || performance.now() >= until) return held;
    await sleep(50);
  }
}

function firstOutgoingPort(): number {
  try {
    return Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  } catch {
    return 0;
  }
}

function hold(port: number, address: string): Promise<Held | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: address, exclusive: true }, () => {
      const bound = server.address();
      if (bound === null || typeof bound === "string") return resolve(undefined);
      resolve({ port: bound.port, release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}
