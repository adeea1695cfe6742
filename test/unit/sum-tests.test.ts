import { expect } from "chai";
import { sumResults } from "../../tools/sum-tests.ts";
import type { TestResults } from "../support/reporter.ts";

const results = (phase: string, passed: number, failures: string[] = [], skipped = 0): TestResults => ({
  ...{ phase, passed, skipped, seconds: 1, failed: failures.length },
  failures: failures.map((title) => ({ title, message: "expected 1\nto equal 2" })),
});

describe("the sum of a CI run", () => {
  it("adds all phases up and names each failure in one line", () => {
    const sum = sumResults([results("unit", 10, ["a is b"]), results("e2e", 2, [], 3)], ["unit"]);
    expect(sum).to.deep.equal({ passed: 12, failed: 1, skipped: 3, failures: ["unit: a is b: expected 1"] });
  });

  it("counts a phase that failed without a failing test", () => {
    const sum = sumResults([results("unit", 10), results("integration", 5)], ["lint", "integration"]);
    expect(sum.failed).to.equal(2);
    expect(sum.failures).to.deep.equal(["lint: failed", "integration: failed"]);
  });
});
