// Free ports, chosen by the kernel.

import { createServer } from "node:net";

/**
 * `count` different ports that nothing listened on a moment ago at `address`. The ports in `preferred` are taken where
 * they are still free, so that a cluster that starts again keeps its addresses.
 */
export async function freePorts(
  count: number,
  address = "127.0.0.1",
  preferred: readonly number[] = [],
): Promise<number[]> {
  const held = [];
  try {
    for (let i = 0; i < count; i++) {
      const wish = preferred[i];
      held.push((wish && (await hold(wish, address))) || (await mustHold(address)));
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

async function mustHold(address: string): Promise<Held> {
  const held = await hold(0, address);
  if (!held) throw new Error(`no free port at ${address}`);
  return held;
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
