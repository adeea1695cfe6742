// The ports under which a head is reached; services, Ingress and Route share them (objects.md 19.1).
import { DefaultPort, PortName } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";

/**
 * Port numbers by name, sorted by name: those that the head's Ray container declares, or all defaults if it declares
 * none; `metrics` is always there.
 */
export function headPorts(cluster: RayCluster): ReadonlyMap<string, number> {
  const declared = cluster.spec.headGroupSpec.template.spec?.containers[0]?.ports ?? [];
  const ports = new Map(declared.map((port) => [port.name || `${port.containerPort}-port`, port.containerPort]));
  const all = ports.size > 0 ? ports : new Map(defaultPorts);
  if (!all.has(PortName.metrics)) all.set(PortName.metrics, DefaultPort.metrics);
  return new Map([...all].sort(([left], [right]) => (left < right ? -1 : 1)));
}

const defaultPorts: readonly (readonly [string, number])[] = [
  [PortName.client, DefaultPort.client],
  [PortName.gcsServer, DefaultPort.gcsServer],
  [PortName.dashboard, DefaultPort.dashboard],
  [PortName.metrics, DefaultPort.metrics],
  [PortName.serve, DefaultPort.serve],
];

/** The port of the dashboard for Ingress and Route. */
export function dashboardPort(cluster: RayCluster): number {
  return headPorts(cluster).get(PortName.dashboard) ?? DefaultPort.dashboard;
}

/** Ports for Serve traffic: those called `serve` or `serve-...`. */
export function servePorts(cluster: RayCluster): ReadonlyMap<string, number> {
  return new Map([...headPorts(cluster)].filter(([name]) => name === PortName.serve || name.startsWith("serve-")));
}
