// Ray Serve of one simulated cluster: the applications of the last config, and where each is on its way.

import { RayError } from "./jobs.ts";
import { duration, parseScript } from "./script.ts";

/** `ray.serve.schema.ServeApplicationSchema`, as far as it matters here. */
export interface ApplicationConfig {
  readonly name?: string;
  readonly route_prefix?: string | null;
  readonly import_path?: string;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly runtime_env?: { readonly env_vars?: Readonly<Record<string, string>> };
  readonly deployments?: readonly { readonly name?: string; readonly num_replicas?: number | string }[];
}

/** The body of `PUT /api/serve/applications/`. */
export interface ServeConfig {
  readonly applications?: readonly ApplicationConfig[];
  readonly target_capacity?: number | null;
  readonly http_options?: Readonly<Record<string, unknown>>;
}

type ApplicationStatus = "DEPLOYING" | "RUNNING" | "DEPLOY_FAILED" | "UNHEALTHY";

interface Application {
  readonly config: ApplicationConfig;
  readonly deployedAt: number;
  readonly deployingMs: number;
  readonly outcome: ApplicationStatus;
}

/** A node that runs a Serve proxy. */
export interface ProxyNode {
  readonly id: string;
  readonly address: string;
}

/**
 * An application is DEPLOYING for 1 s and then RUNNING. The words of a script change that: `fail`, `unhealthy`,
 * `forever` (stays DEPLOYING), `deploying=5s`. It is looked for in the application's args (`simulate`), in the
 * environment variable `SIMULATE` of its runtime environment, and in what the cluster itself says.
 */
export class Serve {
  #applications = new Map<string, Application>();
  #config: ServeConfig | undefined;

  /** Whether a config was ever put: before that no proxy runs and nothing listens on the port. */
  get started(): boolean {
    return this.#config !== undefined;
  }

  /** Takes a config. An application whose config is the same as before goes on undisturbed. */
  put(config: ServeConfig, now: number, clusterScript = ""): void {
    if (!Array.isArray(config.applications)) throw new RayError(400, "applications: field required");
    const next = new Map<string, Application>();
    for (const wanted of config.applications) {
      if (!wanted.import_path) throw new RayError(400, "applications: import_path: field required");
      const name = wanted.name ?? "default";
      const present = this.#applications.get(name);
      const same = present !== undefined && JSON.stringify(present.config) === JSON.stringify(wanted);
      next.set(name, same ? present : newApplication(wanted, now, clusterScript));
    }
    this.#applications = next;
    this.#config = config;
  }

  shutDown(): void {
    this.#applications.clear();
    this.#config = undefined;
  }

  /** `GET /api/serve/applications/`: Ray's `ServeInstanceDetails`. */
  details(now: number, nodes: readonly ProxyNode[]): object {
    const applications = [...this.#applications].map(([name, one]) => [name, detailsOf(name, one, now)]);
    return {
      controller_info: {},
      proxy_location: "EveryNode",
      http_options: { host: "0.0.0.0", port: 8000, ...this.#config?.http_options },
      grpc_options: { port: 9000, grpc_servicer_functions: [] },
      proxies: this.started ? proxies(nodes) : {},
      deploy_mode: "MULTI_APP",
      applications: Object.fromEntries(applications),
      target_capacity: this.#config?.target_capacity ?? null,
    };
  }

  /** `GET /-/routes`: application by route prefix. */
  routes(): Record<string, string> {
    const entries = [...this.#applications].map(([name, one]) => [one.config.route_prefix ?? "/", name]);
    return Object.fromEntries(entries);
  }

  /** The running application that a request for this path reaches: the longest prefix wins. */
  route(path: string, now: number): string | undefined {
    const matching = Object.entries(this.routes())
      .filter(([prefix]) => path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`))
      .sort(([a], [b]) => b.length - a.length);
    const name = matching[0]?.[1];
    const application = name === undefined ? undefined : this.#applications.get(name);
    return application && statusAt(application, now) === "RUNNING" ? name : undefined;
  }
}

function newApplication(config: ApplicationConfig, now: number, clusterScript: string): Application {
  const own = config.args?.simulate ?? config.runtime_env?.env_vars?.SIMULATE;
  const script = parseScript(own === undefined ? clusterScript : String(own));
  const outcome = script.has("fail") ? "DEPLOY_FAILED" : script.has("unhealthy") ? "UNHEALTHY" : "RUNNING";
  const deployingMs = script.has("forever") ? Number.POSITIVE_INFINITY : duration(script.get("deploying"), 1_000);
  return { config, deployedAt: now, deployingMs, outcome };
}

function statusAt(application: Application, now: number): ApplicationStatus {
  return now - application.deployedAt < application.deployingMs ? "DEPLOYING" : application.outcome;
}

function detailsOf(name: string, application: Application, now: number): object {
  const status = statusAt(application, now);
  const { config } = application;
  const deployments = config.deployments?.length ? config.deployments : [{ name: "Main" }];
  return {
    name,
    route_prefix: config.route_prefix ?? "/",
    docs_path: null,
    status,
    message: status === "DEPLOY_FAILED" ? "Deploying app failed with exception: simulated failure" : "",
    last_deployed_time_s: application.deployedAt / 1000,
    deployed_app_config: config,
    source: "declarative",
    deployments: Object.fromEntries(deployments.map((one) => deployment(one.name ?? "Main", one.num_replicas, status))),
  };
}

const deploymentStatus = {
  RUNNING: "HEALTHY",
  DEPLOYING: "UPDATING",
  DEPLOY_FAILED: "DEPLOY_FAILED",
  UNHEALTHY: "UNHEALTHY",
} as const;

function deployment(name: string, replicas: number | string | undefined, status: ApplicationStatus): [string, object] {
  const count = typeof replicas === "number" ? replicas : 1;
  const details = {
    name,
    status: deploymentStatus[status],
    status_trigger: "CONFIG_UPDATE_COMPLETED",
    message: "",
    target_num_replicas: count,
    replicas: Array.from({ length: status === "RUNNING" ? count : 0 }, (_, index) => ({
      replica_id: `${name}#${index}`,
      state: "RUNNING",
    })),
  };
  return [name, details];
}

function proxies(nodes: readonly ProxyNode[]): object {
  return Object.fromEntries(nodes.map(({ id, address }) => [id, { node_id: id, node_ip: address, status: "HEALTHY" }]));
}
