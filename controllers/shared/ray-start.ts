// From a group's `rayStartParams` to the command line of `ray start` (objects.md section 6).
import type { Container } from "../../api/v1/kubernetes.ts";
import { DefaultPort, NodeType, StartParam } from "../../api/v1/labels.ts";
import type { HeadGroupSpec, RayCluster, WorkerGroupSpec } from "../../api/v1/raycluster.ts";
import { sortedJson } from "./go-json.ts";
import { isZeroQuantity, parseQuantity, type Quantity, quantityToNumber, roundUpQuantity } from "./quantity.ts";
import { isGpuResource, TPU_RESOURCE } from "./replicas.ts";

/** Options of `ray start` without the leading dashes. */
export type StartParams = Readonly<Record<string, string>>;

/** The port that the head's GCS listens on, as written by the user. */
export function gcsPort(cluster: RayCluster): string {
  return cluster.spec.headGroupSpec.rayStartParams?.[StartParam.port] ?? String(DefaultPort.gcsServer);
}

/** Parameters of a head. `address` is not among them: the head is the address. */
export function headStartParams(cluster: RayCluster, rayContainer: Container): StartParams {
  const { enableInTreeAutoscaling, gcsFaultToleranceOptions, headGroupSpec } = cluster.spec;
  return detectResources(
    {
      // The dashboard's own default, localhost, cannot be reached through the service.
      [StartParam.dashboardHost]: "0.0.0.0",
      ...commonDefaults,
      ...groupParams(headGroupSpec),
      ...forced,
      // Ray's built-in monitor cannot scale Kubernetes: the autoscaler container does it.
      ...(enableInTreeAutoscaling && { [StartParam.noMonitor]: "true" }),
      // Bash puts in the values when the command runs, so that they appear in no object.
      ...(gcsFaultToleranceOptions?.redisUsername && { [StartParam.redisUsername]: "$REDIS_USERNAME" }),
      ...(gcsFaultToleranceOptions?.redisPassword && { [StartParam.redisPassword]: "$REDIS_PASSWORD" }),
    },
    rayContainer,
  );
}

/** Parameters of the workers of a group; `headHost` is the DNS name of the head service. */
export function workerStartParams(
  cluster: RayCluster,
  group: WorkerGroupSpec,
  headHost: string,
  rayContainer: Container,
): StartParams {
  return detectResources(
    {
      [StartParam.address]: `${headHost}:${gcsPort(cluster)}`,
      ...commonDefaults,
      ...groupParams(group),
      ...forced,
    },
    rayContainer,
  );
}

const commonDefaults: StartParams = {
  [StartParam.metricsExportPort]: String(DefaultPort.metrics),
  // Probes ask this port.
  [StartParam.dashboardAgentListenPort]: String(DefaultPort.dashboardAgent),
};

/** Without `block` the container would end as soon as Ray has started. */
const forced: StartParams = { [StartParam.block]: "true" };

/** The command line; every option has a blank on both sides, as in KubeRay, because users see and compare the string. */
export function rayStartCommand(nodeType: "head" | "worker", params: StartParams): string {
  const options = Object.keys(params)
    .sort()
    .map((name) => renderOption(name, params[name] ?? ""));
  return `ray start ${nodeType === NodeType.head ? "--head " : ""}${options.join("")}`;
}

function renderOption(name: string, value: string): string {
  const isSwitch = /^(true|false)$/i.test(value) && !OPTIONS_WITH_BOOLEAN_VALUE.has(name);
  if (!isSwitch) return ` --${name}=${value} `;
  return value.toLowerCase() === "true" ? ` --${name} ` : "";
}

/** These take `=true` and `=false`; other booleans are switches, given or left out. */
const OPTIONS_WITH_BOOLEAN_VALUE: ReadonlySet<string> = new Set([
  "log-color",
  "include-dashboard",
  "include-log-monitor",
]);

/** The group's own parameters after its fields `resources` and `labels` were put in (objects.md 6.1, 6.2). */
function groupParams(group: HeadGroupSpec | WorkerGroupSpec): StartParams {
  const labels = Object.entries(group.labels ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    ...group.rayStartParams,
    ...resourceParams(group.resources ?? {}),
    ...(labels.length > 0 && { [StartParam.labels]: labels.map(([key, value]) => `${key}=${value}`).join(",") }),
  };
}

/** Quantities that do not parse are left out: validation is the place to complain about them. */
function resourceParams(resources: Readonly<Record<string, string>>): StartParams {
  const params: Record<string, string> = {};
  const custom: Record<string, number> = {};
  for (const name of Object.keys(resources).sort()) {
    const quantity = parseQuantity(resources[name] ?? "");
    if (quantity === undefined) continue;
    const param = standardParam(name.toLowerCase());
    if (param) params[param] = String(roundUpQuantity(quantity));
    else custom[name] = quantityToNumber(quantity);
  }
  return Object.keys(custom).length > 0 ? { ...params, [StartParam.resources]: quoteJson(custom) } : params;
}

function standardParam(resource: string): string | undefined {
  if (resource === "cpu") return StartParam.numCpus;
  if (resource === "memory") return StartParam.memory;
  return isGpuResource(resource) ? StartParam.numGpus : undefined;
}

/** Adds what the Ray container's resources tell, for parameters that are still missing (objects.md 6.4). */
function detectResources(params: StartParams, rayContainer: Container): StartParams {
  const limits = amounts(rayContainer.resources?.limits);
  const cpu = limits.get("cpu") ?? amounts(rayContainer.resources?.requests).get("cpu");
  const memory = limits.get("memory");
  return {
    ...(cpu && { [StartParam.numCpus]: String(roundUpQuantity(cpu)) }),
    ...(memory && { [StartParam.memory]: String(roundUpQuantity(memory)) }),
    ...detectAccelerators(params, limits),
  };
}

/**
 * GPUs, and one kind of other accelerator. If the user's `resources` cannot be read, nothing is detected at all: KubeRay
 * does the same, and Ray then looks at the devices itself.
 */
function detectAccelerators(params: StartParams, limits: ReadonlyMap<string, Quantity>): StartParams {
  if (limits.size === 0) return params;
  const resources = readResources(params[StartParam.resources]);
  if (resources === undefined) return params;
  const names = [...limits.keys()].sort();
  const gpu = names.find(isGpuResource);
  const gpus = gpu && limits.get(gpu);
  const known = Object.values(ACCELERATORS).some((accelerator) => accelerator in resources);
  const found = known ? undefined : names.find((name) => name in ACCELERATORS);
  const accelerators = found && limits.get(found);
  return {
    ...(gpus && { [StartParam.numGpus]: String(roundUpQuantity(gpus)) }),
    ...params,
    ...(found &&
      accelerators && {
        [StartParam.resources]: quoteJson({
          ...resources,
          [ACCELERATORS[found] ?? found]: quantityToNumber(accelerators),
        }),
      }),
  };
}

/** Ray's names for accelerators that Kubernetes knows under another name. */
const ACCELERATORS: Readonly<Record<string, string>> = {
  "aws.amazon.com/neuroncore": "neuron_cores",
  [TPU_RESOURCE]: "TPU",
};

/** The parameter is JSON in any kind of quotes. Undefined if it is not an object of numbers. */
function readResources(text = ""): Record<string, number> | undefined {
  const json = text.replace(/^['"` ]+|['"` ]+$/g, "");
  if (json === "") return {};
  try {
    const value: unknown = JSON.parse(json) ?? {};
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value).map(([name, amount]) => [name, amount ?? 0] as const);
    return entries.every(([, amount]) => typeof amount === "number") ? Object.fromEntries(entries) : undefined;
  } catch {
    return undefined;
  }
}

/** Single quotes keep bash from touching the JSON. */
function quoteJson(resources: Readonly<Record<string, number>>): string {
  return `'${sortedJson(resources)}'`;
}

/** The amounts that are not zero. */
function amounts(resources: Readonly<Record<string, string | number>> | undefined): ReadonlyMap<string, Quantity> {
  const parsed = Object.entries(resources ?? {}).map(([name, text]) => [name, parseQuantity(text)] as const);
  return new Map(
    parsed.filter((entry): entry is [string, Quantity] => entry[1] !== undefined && !isZeroQuantity(entry[1])),
  );
}
