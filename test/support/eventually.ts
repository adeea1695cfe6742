// Waiting for what a real cluster does in its own time.
import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  /** How long to try, milliseconds. Default 15,000. */
  readonly withinMs?: number;
  /** Pause between two tries, milliseconds. Default 50. */
  readonly everyMs?: number;
}

/**
 * Tries until `attempt` no longer throws, and gives what it gave. Assertions inside say what is waited for: when time is
 * up, the last one is what fails.
 */
export async function eventually<T>(attempt: () => T | Promise<T>, patience: Patience = {}): Promise<T> {
  const { withinMs = 15_000, everyMs = 50 } = patience;
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw told(error, withinMs);
    }
    await sleep(everyMs);
  }
}

/** Fails as soon as `check` throws at any moment of the next `forMs` milliseconds. */
export async function throughout(forMs: number, check: () => unknown, everyMs = 100): Promise<void> {
  const end = performance.now() + forMs;
  do {
    await check();
    await sleep(everyMs);
  } while (performance.now() < end);
}

function told(error: unknown, withinMs: number): unknown {
  if (error instanceof Error) error.message = `not within ${withinMs / 1000} s: ${error.message}`;
  return error;
}
