// Thins out identical lines, as zap's production logger does (operator.md section 10).

const firstPerSecond = 100;
const thereafter = 100;

/** Of lines with the same level and message in one second, lets the first 100 pass and then every 100th. */
export class LogSampler {
  #second = 0;
  readonly #counts = new Map<string, number>();

  /** Whether this line passes. `now`: milliseconds. */
  passes(level: string, message: string, now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.clear();
    }
    const key = `${level} ${message}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count <= firstPerSecond || (count - firstPerSecond) % thereafter === 0;
  }
}
