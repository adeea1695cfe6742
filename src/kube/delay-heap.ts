/** A key and when it is due (monotonic milliseconds). */
export interface Delayed {
  readonly key: string;
  at: number;
  priority: number;
}

/** Keys by due time, each at most once: a binary heap that knows where each key is, so that one can be taken out. */
export class DelayHeap {
  readonly #heap: Delayed[] = [];
  readonly #positions = new Map<string, number>();

  get size(): number {
    return this.#heap.length;
  }

  earliest(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Puts a key; one that is there already gets the earlier time and the higher priority. */
  put(key: string, at: number, priority: number): void {
    const position = this.#positions.get(key);
    const present = position === undefined ? undefined : this.#heap[position];
    if (present === undefined || position === undefined) {
      this.#positions.set(key, this.#heap.length);
      this.#heap.push({ key, at, priority });
      this.#up(this.#heap.length - 1);
      return;
    }
    present.priority = Math.max(present.priority, priority);
    if (at >= present.at) return;
    present.at = at;
    this.#up(position);
  }

  remove(key: string): void {
    const position = this.#positions.get(key);
    if (position !== undefined) this.#removeAt(position);
  }

  /** Takes the earliest key that is due at `now`. */
  takeDue(now: number): Delayed | undefined {
    const first = this.#heap[0];
    if (!first || first.at > now) return undefined;
    this.#removeAt(0);
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#positions.clear();
  }

  #removeAt(position: number): void {
    const removed = this.#heap[position];
    const last = this.#heap.pop();
    if (removed) this.#positions.delete(removed.key);
    if (!last || last === removed) return;
    this.#place(last, position);
    this.#up(position);
    this.#down(this.#positions.get(last.key) ?? position);
  }

  #up(from: number): void {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.#swapIfEarlier(position, parent)) return;
      position = parent;
    }
  }

  #down(from: number): void {
    let position = from;
    for (;;) {
      const left = 2 * position + 1;
      const right = left + 1;
      const child = this.#at(right) < this.#at(left) ? right : left;
      if (!this.#swapIfEarlier(child, position)) return;
      position = child;
    }
  }

  /** Exchanges two entries when the lower one (`child`) is due before the upper one. */
  #swapIfEarlier(child: number, parent: number): boolean {
    const lower = this.#heap[child];
    const upper = this.#heap[parent];
    if (!lower || !upper || lower.at >= upper.at) return false;
    this.#place(lower, parent);
    this.#place(upper, child);
    return true;
  }

  #place(entry: Delayed, position: number): void {
    this.#heap[position] = entry;
    this.#positions.set(entry.key, position);
  }

  #at(position: number): number {
    return this.#heap[position]?.at ?? Number.POSITIVE_INFINITY;
  }
}
