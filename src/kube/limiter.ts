/**
 * Bounds how many tasks run at once and shares the room fairly between owners: the next free place goes to the owner
 * whose turn it is (round robin), so that one owner with a thousand tasks delays another's first one by at most one
 * round. Within one owner, tasks start in the order in which they came.
 */
export class Limiter {
  readonly #parallelism: number;
  readonly #waiting = new Map<string, Task[]>();
  /** Owners that have waiting tasks, in the order of their turns. */
  #turns: string[] = [];
  #running = 0;

  constructor(parallelism: number) {
    this.#parallelism = Math.max(1, parallelism);
  }

  get running(): number {
    return this.#running;
  }

  /** Runs `task` when there is room and it is the owner's turn; settles as the task does. */
  run<T>(owner: string, task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#parallelism && this.#turns.length === 0) return this.#start(task);
    return new Promise<T>((resolve, reject) => {
      this.#enqueue(owner, () => void this.#start(task).then(resolve, reject));
    });
  }

  async #start<T>(task: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await task();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  #enqueue(owner: string, task: Task): void {
    const tasks = this.#waiting.get(owner);
    if (tasks) {
      tasks.push(task);
      return;
    }
    this.#waiting.set(owner, [task]);
    this.#turns.push(owner);
  }

  #next(): void {
    while (this.#running < this.#parallelism) {
      const owner = this.#turns.shift();
      if (owner === undefined) return;
      const tasks = this.#waiting.get(owner) ?? [];
      const task = tasks.shift();
      if (tasks.length > 0) this.#turns.push(owner);
      else this.#waiting.delete(owner);
      task?.();
    }
  }
}

type Task = () => void;
