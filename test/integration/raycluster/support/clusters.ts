// RayClusters for the tests: small, valid, and told by annotations how their simulated pods behave.
import type { RayCluster, RayClusterSpec, WorkerGroupSpec } from "../../../../api/v1/raycluster.ts";

export interface ClusterShape {
  readonly replicas?: number;
  readonly spec?: Partial<RayClusterSpec>;
  /** Changes of the one worker group, `small`. */
  readonly group?: Partial<WorkerGroupSpec>;
  /** Annotations on the head's and the workers' pods (src/local/README.md: scripting simulated pods). */
  readonly headAnnotations?: Record<string, string>;
  readonly workerAnnotations?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

/** A head and one group `small`. */
export function rayCluster(name: string, shape: ClusterShape = {}): RayCluster {
  const { replicas = 2, spec = {}, group = {}, headAnnotations = {}, workerAnnotations = {}, annotations } = shape;
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name, ...(annotations && { annotations }) },
    spec: {
      rayVersion: "2.52.0",
      headGroupSpec: { rayStartParams: {}, template: template("ray-head", headAnnotations) },
      workerGroupSpecs: [workerGroup("small", { replicas, ...group }, workerAnnotations)],
      ...spec,
    },
  };
}

export function workerGroup(
  groupName: string,
  change: Partial<WorkerGroupSpec> = {},
  annotations: Record<string, string> = {},
): WorkerGroupSpec {
  const bounds = { replicas: 1, minReplicas: 0, maxReplicas: 100 };
  return {
    ...{ groupName, ...bounds, rayStartParams: {}, template: template("ray-worker", annotations) },
    ...change,
  } as WorkerGroupSpec;
}

function template(name: string, annotations: Record<string, string>) {
  const resources = { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "10m", memory: "16Mi" } };
  return {
    metadata: { annotations },
    spec: { containers: [{ name, image: "rayproject/ray:2.52.0", resources }] },
  };
}
