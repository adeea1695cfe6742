// A lock between processes of one machine that cannot be left behind: a listening socket in Linux' abstract name
// space, which the kernel gives free when its holder ends.

import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";

export interface Lock {
  release(): Promise<void>;
}

/** Takes the lock `name`, or returns undefined when another process (or this one) holds it. */
export function tryLock(name: string): Promise<Lock | undefined> {
  const address = `\0ray-operator-${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
  return new Promise((resolve, reject) => {
    const server: Server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    server.listen(address, () => {
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

/** Runs `work` while holding the lock; waits for it without end, and calls `onWait` once when it has to. */
export async function withLock<T>(name: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  let lock = await tryLock(name);
  if (!lock) onWait();
  while (!lock) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    lock = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
