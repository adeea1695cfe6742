// The metrics endpoint: one registry for the process, `/metrics` in Prometheus' text format.
import prometheus from "prom-client";
import { type RunningServer, serve } from "./http-server.ts";

/** The process's registry, with what Node says about itself (`process_*`, `nodejs_*`). */
export function createRegistry(version: string): prometheus.Registry {
  const registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  const build = new prometheus.Gauge({
    name: "ray_operator_build_info",
    help: "Always 1; the labels say which version runs.",
    labelNames: ["version", "node"],
    registers: [registry],
  });
  build.set({ version, node: process.versions.node }, 1);
  return registry;
}

/** Serves `/metrics` at once, also on replicas that stand by: KubeRay's manifests probe it. */
export function serveMetrics(address: string, registry: prometheus.Registry): Promise<RunningServer> {
  return serve(address, async (path) => {
    if (path !== "/metrics") return undefined;
    return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
  });
}
