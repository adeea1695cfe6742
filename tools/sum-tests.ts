// Adds up the results of all test phases of a CI run and prints `N passed, N failed, N skipped` as the last line.
//
//     node tools/sum-tests.ts FOLDER
//
// A phase that failed without a failing test (types, style, a crash) counts as one failure. Exit code 1 on any failure.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestResults } from "../test/support/reporter.ts";

/** The sum over all result files of a folder. */
export interface Sum {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed, one line each. */
  readonly failures: readonly string[];
}

/** Adds up; `failedPhases` are the names of phases whose command ended with an error. */
export function sumResults(results: readonly TestResults[], failedPhases: readonly string[]): Sum {
  const total = (field: "passed" | "failed" | "skipped") => results.reduce((sum, result) => sum + result[field], 0);
  const told = new Set(results.filter(({ failed }) => failed > 0).map(({ phase }) => phase));
  const untold = failedPhases.filter((phase) => !told.has(phase));
  return {
    passed: total("passed"),
    failed: total("failed") + untold.length,
    skipped: total("skipped"),
    failures: [
      ...results.flatMap(({ phase, failures }) =>
        failures.map(({ title, message }) => `${phase}: ${title}: ${message.split("\n")[0]}`),
      ),
      ...untold.map((phase) => `${phase}: failed`),
    ],
  };
}

function main(folder: string): number {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const results = files.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as TestResults);
  const phases = join(folder, "failed-phases");
  const failedPhases = existsSync(phases) ? readFileSync(phases, "utf8").trim().split("\n") : [];
  const { passed, failed, skipped, failures } = sumResults(results, failedPhases);
  for (const failure of failures) console.log(`FAILED ${failure}`);
  // No test at all is no success.
  const none = passed + failed === 0;
  if (none) console.log("FAILED no test has run");
  console.log(`${passed} passed, ${none ? 1 : failed} failed, ${skipped} skipped`);
  return failed === 0 && !none ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main(process.argv[2] ?? ".");
