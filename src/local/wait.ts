// Waiting for something that becomes true, without missing that it no longer can.

import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks `condition` until it says yes. Before each question `check` may throw, for instance because the process that is
 * waited for has ended.
 *
 * @throws Error `gave up after N s waiting for WHAT`.
 */
export async function until(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
  check: () => void = () => {},
  everyMs = 50,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    check();
    if (await condition()) return;
    if (performance.now() > deadline) throw new Error(`gave up after ${timeoutMs / 1000} s waiting for ${what}`);
    await sleep(everyMs);
  }
}
