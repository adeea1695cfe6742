// The controllers of this version, and what they tell the metrics.
import { randomBytes } from "node:crypto";
import type { Registry } from "prom-client";
import { rayClusterCaches, rayClusterController } from "../../controllers/raycluster/index.ts";
import type { Settings } from "../../controllers/shared/settings.ts";
import type { Manager } from "../kube/manager.ts";
import { rayClusterMetrics } from "../observability/raycluster-metrics.ts";

export interface ControllerSetup {
  readonly settings: Settings;
  /** Objects of one kind in work at once. */
  readonly concurrency: number;
  /** Where the metrics about Ray objects go; none without `--enable-metrics`. */
  readonly registry: Registry | undefined;
}

/** Random bytes in an authentication token (raycluster-controller.md 9.3). */
const authTokenBytes = 32;

/** Adds every controller to the manager; before its `run`. */
export function addControllers(manager: Manager, { settings, concurrency, registry }: ControllerSetup): void {
  const caches = rayClusterCaches(manager);
  // A replica that stands by has empty caches, so its state metrics are empty too and sums over replicas are right.
  const metrics = registry && rayClusterMetrics(registry, () => caches.clusters.list());
  const controller = rayClusterController(caches, {
    settings,
    concurrency,
    drawToken: () => randomBytes(authTokenBytes).toString("base64"),
    ...(metrics && {
      statusWritten: (cluster, _before, after) => metrics.statusWritten(cluster, after, new Date()),
      gone: ({ namespace, name }) => metrics.deleted(namespace, name),
    }),
  });
  manager.add(controller);
}
