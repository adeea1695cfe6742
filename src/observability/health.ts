// `/healthz` (must this process be restarted?) and `/readyz` (does it do its work?), in the API server's own manner:
// every check has a path of its own, and `?verbose` lists them all.
import type { Answer, Handler } from "./http-server.ts";

/** Gives what is wrong in one line, or undefined when all is well. Must be quick: probes time out after a second. */
export type HealthCheck = () => string | undefined;

/** The checks of the two endpoints by name. */
export interface HealthChecks {
  readonly healthz: Readonly<Record<string, HealthCheck>>;
  readonly readyz: Readonly<Record<string, HealthCheck>>;
}

/**
 * Answers `/healthz`, `/readyz` and their sub-paths, 200 or 500. KubeRay's two pings, `/healthz/healthz` and
 * `/readyz/readyz`, are always there.
 */
export function healthHandler(checks: HealthChecks): Handler {
  const endpoints = new Map([
    ["healthz", { healthz: ping, ...checks.healthz }],
    ["readyz", { readyz: ping, ...checks.readyz }],
  ]);
  return (path, query) => {
    const [, endpoint = "", name, ...more] = path.replace(/\/$/, "").split("/");
    const all: Record<string, HealthCheck> | undefined = endpoints.get(endpoint);
    if (!all || more.length > 0) return undefined;
    if (name === undefined) return summary(endpoint, all, query);
    const check = all[name];
    return check && single(check);
  };
}

const ping: HealthCheck = () => undefined;

function single(check: HealthCheck): Answer {
  const problem = check();
  return problem === undefined ? { status: 200, body: "ok" } : { status: 500, body: `${problem}\n` };
}

function summary(endpoint: string, checks: Readonly<Record<string, HealthCheck>>, query: URLSearchParams): Answer {
  const excluded = new Set(query.getAll("exclude"));
  const results = Object.entries(checks)
    .filter(([name]) => !excluded.has(name))
    .map(([name, check]) => ({ name, problem: check() }));
  const failed = results.some(({ problem }) => problem !== undefined);
  if (!failed && !query.has("verbose")) return { status: 200, body: "ok" };
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
  );
  return {
    status: failed ? 500 : 200,
    body: [...lines, `${endpoint} check ${failed ? "failed" : "passed"}`, ""].join("\n"),
  };
}
