import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks until there is an answer, and returns it. `undefined`, `false` and an error all mean "not yet"; what was said
 * last is part of the failure.
 *
 * @param what completes the sentence "waited N s for ..."
 * @param attempt may throw an Error whose message says what is still missing
 */
export async function eventually<T>(
  what: string,
  seconds: number,
  attempt: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    let last = "";
    try {
      const answer = await attempt();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = `: ${(error as Error).message}`;
    }
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}${last}`);
    await sleep(500);
  }
}
