// The operator without its command line: servers, connection, caches and controllers, until a signal ends it.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Registry } from "prom-client";
import { defaultSettings, type Settings } from "../../controllers/shared/settings.ts";
import { type Connection, KubeconfigError, loadConnection } from "../kube/kubeconfig.ts";
import { type LeaseOptions, Manager } from "../kube/manager.ts";
import { RuntimeMetrics } from "../kube/metrics.ts";
import type { Logger } from "../kube/types.ts";
import { healthHandler } from "../observability/health.ts";
import { type RunningServer, serve } from "../observability/http-server.ts";
import { createRegistry, serveMetrics } from "../observability/metrics.ts";
import { findCapabilities } from "./capabilities.ts";
import { addControllers } from "./controllers.ts";
import { UserError } from "./errors.ts";
import { saveMemory } from "./memory.ts";
import type { OperatorOptions } from "./options.ts";

/** The name of KubeRay's lease: operators of both kinds exclude each other. */
const leaseName = "ray-operator-leader";

/**
 * Runs until the signal is aborted, then ends gracefully. Rejects with `UserError` for an address that is taken, a
 * configuration without a cluster and an API server that does not answer.
 */
export async function runOperator(options: OperatorOptions, log: Logger, stop: AbortSignal): Promise<void> {
  const setup = log.child("setup");
  const version = defaultSettings().operatorVersion;
  const registry = createRegistry(version);
  const state: { manager: Manager | undefined } = { manager: undefined };
  const servers = await listen(options, registry, state, setup);
  try {
    const connection = await connect(options);
    const manager = createManager(options, connection, registry, log);
    const { ray, ...found } = await findCapabilities(manager.client);
    const settings: Settings = { ...options.settings, ...found, operatorVersion: version };
    addControllers(manager, {
      settings,
      concurrency: options.reconcileConcurrency,
      registry: options.enableMetrics ? registry : undefined,
    });
    state.manager = manager;
    const { watchNamespaces } = options;
    setup.info("starting", {
      ...{ version, node: process.version, server: connection.server, source: connection.source },
      namespaces: watchNamespaces.length === 0 ? "all" : watchNamespaces,
    });
    if (!ray) setup.warn("no CRD of ray.io is installed: run `ray-operator crds | kubectl apply -f -`; waiting for it");
    setup.info("Loaded feature gates", { featureGates: options.featureGates });
    saveMemory();
    await manager.run(stop);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** The servers listen before the API server is asked for anything: KubeRay's manifests probe `/metrics`. */
async function listen(
  { metricsAddress, probeAddress }: OperatorOptions,
  registry: Registry,
  state: { readonly manager: Manager | undefined },
  log: Logger,
): Promise<RunningServer[]> {
  const servers: RunningServer[] = [];
  try {
    if (metricsAddress !== undefined) servers.push(await serveMetrics(metricsAddress, registry));
    if (probeAddress !== undefined) servers.push(await serve(probeAddress, healthHandler(healthChecks(state))));
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()));
    throw new UserError(error instanceof Error ? error.message : String(error));
  }
  log.debug("serving", { metrics: metricsAddress ?? "off", probes: probeAddress ?? "off" });
  return servers;
}

/** A replica that stands by is ready: it does what it is there for. */
function healthChecks(state: { readonly manager: Manager | undefined }) {
  const caches = (): string | undefined => {
    const health = state.manager?.health;
    if (!health) return "the API server has not answered yet";
    return health.leading && !health.synced ? "the caches are not complete yet" : undefined;
  };
  return { healthz: {}, readyz: { caches } };
}

async function connect({ kubeconfig }: OperatorOptions): Promise<Connection> {
  try {
    return await loadConnection({ kubeconfig });
  } catch (error) {
    if (error instanceof KubeconfigError) throw new UserError(error.message);
    throw error;
  }
}

function createManager(options: OperatorOptions, connection: Connection, registry: Registry, log: Logger): Manager {
  const { qps, burst } = options;
  return new Manager({
    connection,
    log,
    client: { userAgent: `kuberay-operator/${defaultSettings().operatorVersion}`, qps, burst },
    metrics: new RuntimeMetrics(registry),
    leaderElection: options.leaderElection.enabled ? leaseOptions(options.leaderElection) : undefined,
    namespaces: options.watchNamespaces,
    gracefulStopMs: options.shutdownTimeoutMs,
  });
}

function leaseOptions({
  namespace,
  leaseDurationMs,
  renewDeadlineMs,
  retryPeriodMs,
}: OperatorOptions["leaderElection"]): LeaseOptions {
  return {
    name: leaseName,
    namespace: namespace ?? ownNamespace(),
    identity: `${hostname()}_${randomUUID()}`,
    ...{ leaseDurationMs, renewDeadlineMs, retryPeriodMs },
  };
}

/** Outside a cluster a guess could let two operators work at once, so there is none. */
function ownNamespace(): string {
  try {
    return readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "utf8").trim();
  } catch {
    throw new UserError(
      "leader election outside a pod needs --leader-election-namespace; or turn it off: --enable-leader-election=false",
    );
  }
}
