// What one wants to have seen when a test failed: printed at once, since the cluster is gone afterwards.

import type { Environment } from "./environment.ts";
import type { RunningOperator } from "./operator.ts";

/** Prints Ray objects, pods, events and logs of a namespace, and the operator's log. */
export async function explainFailure(
  { kubectl }: Environment,
  namespace: string,
  operator: RunningOperator | undefined,
): Promise<void> {
  const inNamespace = `--namespace=${namespace}`;
  await section("Ray objects", () => kubectl([inNamespace, "get", "rayclusters", "--output=yaml"]));
  await section("pods", () => kubectl([inNamespace, "get", "pods", "--output=wide"]));
  await section("events", () => kubectl([inNamespace, "get", "events", "--sort-by=.lastTimestamp"]));
  const names = await kubectl([inNamespace, "get", "pods", "--output=name"]).catch(() => "");
  for (const pod of names.split("\n").filter((name) => name !== "")) {
    await section(`log of ${pod}`, () => kubectl([inNamespace, "logs", "--all-containers", "--tail=30", pod]));
  }
  await section("log of the operator", async () => (await operator?.log()) ?? "not started");
}

async function section(title: string, content: () => Promise<string>): Promise<void> {
  const text = await content().catch((error: Error) => error.message);
  process.stderr.write(`\n----- ${title}\n${text}\n`);
}
