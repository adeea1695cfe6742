// Ctrl-C: the first asks for an orderly end, the second ends at once.

/** Waits for the wish to end. Until it is disposed, the usual signals do not end the process. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  readonly #handler: () => void;

  /** `onFirst` tells the user that the wish was heard. */
  constructor(onFirst: () => void) {
    this.#handler = () => {
      // All programs are tied to this process, and end with it.
      if (this.#controller.signal.aborted) process.exit(130);
      this.#controller.abort(new Error("interrupted"));
      onFirst();
    };
    for (const name of this.#signals) process.on(name, this.#handler);
  }

  /** Aborted with the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves with the first signal. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) return resolve();
      this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  [Symbol.dispose](): void {
    for (const name of this.#signals) process.off(name, this.#handler);
  }
}
