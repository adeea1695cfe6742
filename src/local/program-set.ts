// The programs that an instance has started.

import { type ManagedProcess, type ProcessHome, type ProgramStart, startProcess } from "./process.ts";
import type { RecordedProcess } from "./state.ts";

/** Starts and ends programs, and tells when one ends by itself. */
export class ProgramSet {
  readonly #all: ManagedProcess[] = [];
  readonly #onFailure: ((failed: ManagedProcess) => void)[] = [];
  readonly #onStart: () => void;
  #stopping = false;

  /** `onStart` is called after each start, so that it can be written down. */
  constructor(onStart: () => void) {
    this.#onStart = onStart;
  }

  /** In the order of their start, ended ones included. */
  get all(): readonly ManagedProcess[] {
    return this.#all;
  }

  /** Those that run, for the state file. */
  get running(): RecordedProcess[] {
    return this.#all.filter((one) => one.ended === undefined).map((one) => ({ name: one.name, ...one.identity }));
  }

  start(home: ProcessHome, program: ProgramStart): ManagedProcess {
    const started = startProcess(home, program);
    this.#all.push(started);
    this.#onStart();
    void started.exited.then(() => {
      if (started.failed && !this.#stopping) for (const tell of this.#onFailure) tell(started);
    });
    return started;
  }

  /** Calls back when a program ends although nobody stopped it. */
  onFailure(tell: (failed: ManagedProcess) => void): void {
    this.#onFailure.push(tell);
  }

  /** Ends the programs of this name; after `graceMs` by force. */
  async stop(name: string, graceMs: number): Promise<void> {
    await Promise.all(this.#all.filter((one) => one.name === name).map((one) => one.stop(graceMs)));
  }

  /** Ends all programs but those named; failures are no news from now on. */
  async stopAllBut(names: readonly string[]): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#all.filter((one) => !names.includes(one.name)).map((one) => one.stop()));
  }
}
