/** Longer than a watch may lag behind the answer to a delete. */
const GENERATION_MS = 120_000;

/**
 * UIDs of objects that are surely gone, kept for two to four minutes: what a lagging watch still says of such an object
 * must not bring it back.
 */
export class Tombstones {
  readonly #now: () => number;
  #young = new Set<string>();
  #old = new Set<string>();
  #turnedAt: number;

  /** `now` gives milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#turnedAt = now();
  }

  add(uid: string): void {
    if (uid === "") return;
    const now = this.#now();
    if (now - this.#turnedAt >= GENERATION_MS) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#turnedAt = now;
    }
    this.#young.add(uid);
  }

  has(uid: string | undefined): boolean {
    return uid !== undefined && (this.#young.has(uid) || this.#old.has(uid));
  }
}
