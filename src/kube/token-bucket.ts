/**
 * A client-side limit of requests per second with a burst, for those who ask for one (`--qps`, `--burst`). Waiters are
 * served in the order in which they came; there is one bucket for the whole process.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #now: () => number;
  #tokens: number;
  #updatedAt: number;

  /** `qps` requests per second on average, `burst` at once. `now` gives milliseconds that never go back. */
  constructor(qps: number, burst: number, now: () => number = () => performance.now()) {
    this.#perMs = qps / 1000;
    this.#burst = Math.max(1, burst);
    this.#now = now;
    this.#tokens = this.#burst;
    this.#updatedAt = now();
  }

  /** Takes one token and says how many milliseconds to wait until it is really there (0: go ahead). */
  take(): number {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#updatedAt) * this.#perMs);
    this.#updatedAt = now;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs;
  }
}
