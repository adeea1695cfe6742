// How many workers a RayCluster wants, and what it asks for in total (objects.md section 27).
import type { Container, PodTemplateSpec } from "../../api/v1/kubernetes.ts";
import type { RayCluster, WorkerGroupSpec } from "../../api/v1/raycluster.ts";
import { addQuantities, formatQuantity, multiplyQuantity, parseQuantity, type Quantity, ZERO } from "./quantity.ts";

const MAX_INT32 = 2_147_483_647;

/** Amounts by resource name (`cpu`, `memory`, `nvidia.com/gpu`, ...). */
export type ResourceTotals = ReadonlyMap<string, Quantity>;

/** The four sums of a RayCluster's status, in Kubernetes' canonical notation. */
export interface DesiredResources {
  readonly desiredCPU: string;
  readonly desiredMemory: string;
  readonly desiredGPU: string;
  readonly desiredTPU: string;
}

/** Hosts of one replica. 0 and less stay as they are: KubeRay then wants no workers at all. */
function hostsPerReplica(group: WorkerGroupSpec): number {
  return group.numOfHosts ?? 1;
}

/** Replicas that a group wants: `replicas` within its bounds, none if suspended. The lower bound wins over the upper. */
export function desiredReplicas(group: WorkerGroupSpec): number {
  if (group.suspend) return 0;
  const { replicas } = group;
  const min = minReplicas(group);
  if (replicas === undefined || replicas === null || replicas < min) return min;
  return Math.min(replicas, maxReplicas(group));
}

/** Pods that a group wants: replicas times hosts. */
export function desiredGroupWorkers(group: WorkerGroupSpec): number {
  return desiredReplicas(group) * hostsPerReplica(group);
}

/** `status.desiredWorkerReplicas`: pods of all groups, at most what an int32 can say. */
export function desiredWorkers(cluster: RayCluster): number {
  return total(workerGroups(cluster).map(desiredGroupWorkers));
}

/** `status.minWorkerReplicas`: the least number of pods, without suspended groups. */
export function minWorkers(cluster: RayCluster): number {
  return total(activeGroups(cluster).map((group) => minReplicas(group) * hostsPerReplica(group)));
}

/** `status.maxWorkerReplicas`: the greatest number of pods, without suspended groups. */
export function maxWorkers(cluster: RayCluster): number {
  return total(activeGroups(cluster).map((group) => maxReplicas(group) * hostsPerReplica(group)));
}

/**
 * What a pod of this template requests: for each regular container the request, or the limit where there is no request
 * of that name. Init containers, overhead and what the operator adds do not count.
 */
export function podResources(template: PodTemplateSpec): ResourceTotals {
  return sumResources((template.spec?.containers ?? []).map(containerResources));
}

/** What head and workers request, with `replicas` as written (KubeRay does not clamp it here). */
function desiredResources(cluster: RayCluster): ResourceTotals {
  return clusterResources(cluster, (group) => group.replicas ?? 0);
}

/** What head and workers request at least. */
export function minResources(cluster: RayCluster): ResourceTotals {
  return clusterResources(cluster, minReplicas);
}

/** The sums that the status shows. */
export function desiredResourceStatus(cluster: RayCluster): DesiredResources {
  const totals = desiredResources(cluster);
  return {
    desiredCPU: formatQuantity(totals.get("cpu") ?? ZERO),
    desiredMemory: formatQuantity(totals.get("memory") ?? ZERO),
    desiredGPU: formatQuantity(gpuTotal(totals)),
    desiredTPU: formatQuantity(totals.get(TPU_RESOURCE) ?? ZERO),
  };
}

/** The sum over all resource names that mean GPUs. */
export function gpuTotal(totals: ResourceTotals): Quantity {
  const names = [...totals.keys()].filter(isGpuResource).sort();
  return addQuantities(ZERO, ...names.map((name) => totals.get(name) ?? ZERO));
}

/** Whether a Kubernetes resource name means GPUs (objects.md 6.5): `nvidia.com/gpu`, a MIG slice, ... */
export function isGpuResource(name: string): boolean {
  return name.endsWith("gpu") || /nvidia\.com\/mig-\d+g\.\d+gb$/.test(name);
}

export const TPU_RESOURCE = "google.com/tpu";

function clusterResources(cluster: RayCluster, replicas: (group: WorkerGroupSpec) => number): ResourceTotals {
  const groups = activeGroups(cluster).map((group) =>
    multiplyResources(podResources(group.template), replicas(group), hostsPerReplica(group)),
  );
  return sumResources([podResources(cluster.spec.headGroupSpec.template), ...groups]);
}

function containerResources(container: Container): ResourceTotals {
  const written = { ...container.resources?.limits, ...container.resources?.requests };
  const parsed = Object.entries(written).map(([name, text]) => [name, parseQuantity(text) ?? ZERO] as const);
  return new Map(parsed);
}

function multiplyResources(resources: ResourceTotals, ...factors: number[]): ResourceTotals {
  const factor = factors.reduce((product, next) => product * BigInt(next), 1n);
  return new Map([...resources].map(([name, quantity]) => [name, multiplyQuantity(quantity, factor)]));
}

function sumResources(terms: readonly ResourceTotals[]): ResourceTotals {
  const sums = new Map<string, Quantity>();
  for (const [name, quantity] of terms.flatMap((term) => [...term])) {
    sums.set(name, addQuantities(sums.get(name) ?? ZERO, quantity));
  }
  return sums;
}

function workerGroups(cluster: RayCluster): readonly WorkerGroupSpec[] {
  return cluster.spec.workerGroupSpecs ?? [];
}

function activeGroups(cluster: RayCluster): readonly WorkerGroupSpec[] {
  return workerGroups(cluster).filter((group) => !group.suspend);
}

function minReplicas(group: WorkerGroupSpec): number {
  return group.minReplicas ?? 0;
}

function maxReplicas(group: WorkerGroupSpec): number {
  return group.maxReplicas ?? MAX_INT32;
}

/** KubeRay saturates only the maximum; an int32 field takes no more in the others either. */
function total(counts: readonly number[]): number {
  return Math.min(
    MAX_INT32,
    counts.reduce((sum, count) => sum + count, 0),
  );
}
