// Liveness and readiness of the Ray container (objects.md section 12).
import type { Container, Probe } from "../../api/v1/kubernetes.ts";
import { DefaultPort, Kind, NodeType, PortName, StartParam } from "../../api/v1/labels.ts";
import { rayVersionAtLeast } from "../../api/v1/ray-version.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { creatorKind } from "./labels.ts";
import type { StartParams } from "./ray-start.ts";

/** From this Ray version on the dashboard agent answers for the whole node over HTTP. */
const HTTP_PROBE_VERSION = "2.53.0";

/** Adds those of the two probes that the user did not write. */
export function addProbes(
  container: Container,
  cluster: RayCluster,
  nodeType: "head" | "worker",
  params: StartParams,
): void {
  const http = rayVersionAtLeast(cluster.spec.rayVersion, HTTP_PROBE_VERSION);
  // The head is ready for Serve traffic when its serve label says so, not by its probe.
  const serves = nodeType === NodeType.worker && creatorKind(cluster) === Kind.rayService;
  const node = nodeCheck(nodeType, params, http);
  const readiness = serves ? exec([rayletCommand(params), serveCommand(container)]) : node;
  const timeoutSeconds = nodeType === NodeType.head ? 5 : 2;
  const common = { timeoutSeconds, periodSeconds: 5, successThreshold: 1 };
  container.livenessProbe ??= { ...node, initialDelaySeconds: 30, ...common, failureThreshold: 120 };
  // A worker whose Serve proxy is broken leaves the endpoints at the first failure.
  container.readinessProbe ??= { ...readiness, initialDelaySeconds: 10, ...common, failureThreshold: serves ? 1 : 10 };
}

type Check = Pick<Probe, "exec" | "httpGet">;

function nodeCheck(nodeType: "head" | "worker", params: StartParams, http: boolean): Check {
  if (http) return { httpGet: { path: "/api/healthz", port: agentPort(params) } };
  const raylet = rayletCommand(params);
  return exec(nodeType === NodeType.head ? [raylet, gcsCommand(params)] : [raylet]);
}

function exec(commands: readonly string[]): Check {
  return { exec: { command: ["bash", "-c", commands.join(" && ")] } };
}

function rayletCommand(params: StartParams): string {
  return wget(2, agentPort(params), "api/local_raylet_healthz");
}

function gcsCommand(params: StartParams): string {
  return wget(10, portParam(params, StartParam.dashboardPort) ?? DefaultPort.dashboard, "api/gcs_healthz");
}

function serveCommand(container: Container): string {
  const declared = container.ports?.find((port) => port.name === PortName.serve);
  return wget(10, declared?.containerPort ?? DefaultPort.serve, "-/healthz");
}

function wget(timeoutSeconds: number, port: number, path: string): string {
  return `wget --tries 1 -T ${timeoutSeconds} -q -O- http://localhost:${port}/${path} | grep success`;
}

function agentPort(params: StartParams): number {
  return portParam(params, StartParam.dashboardAgentListenPort) ?? DefaultPort.dashboardAgent;
}

/** A parameter that is no 32-bit integer counts as not given. */
function portParam(params: StartParams, name: string): number | undefined {
  const value = params[name];
  const number = value !== undefined && /^[+-]?\d+$/.test(value) ? Number(value) : undefined;
  return number !== undefined && number === (number | 0) ? number : undefined;
}
