// Mocha's own "spec" output, and with TEST_RESULTS=<folder> one JSON file a run, which .ci/run adds up.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import mocha from "mocha";

export interface TestResults {
  readonly phase: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly failures: readonly { readonly title: string; readonly message: string }[];
}

export default class SummaryReporter extends mocha.reporters.Spec {
  constructor(runner: mocha.Runner, options: mocha.MochaOptions) {
    super(runner, options);
    const folder = process.env.TEST_RESULTS;
    if (folder) runner.once("end", () => this.#write(folder));
  }

  #write(folder: string): void {
    const { passes, failures, pending, duration } = this.stats;
    const phase = process.env.TEST_PHASE ?? "tests";
    const results: TestResults = {
      phase,
      passed: passes,
      failed: failures,
      skipped: pending,
      seconds: Math.round((duration ?? 0) / 1000),
      failures: this.failures.map((test) => ({ title: test.fullTitle(), message: String(test.err?.message ?? "") })),
    };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${phase}-${process.pid}.json`), JSON.stringify(results, null, 2));
  }
}
