// RayClusters of the tests, small enough that several of them fit on one machine.

import type { RayClusterSpec } from "../../../api/v1/raycluster.ts";

const image = "rayproject/ray:2.52.0";

/** A RayCluster with one group, `small`, of workers with one CPU. */
export function smallCluster(name: string, workers: number, more: Partial<RayClusterSpec> = {}): string {
  return JSON.stringify({
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name },
    spec: {
      rayVersion: "2.52.0",
      headGroupSpec: {
        // no tasks on the head: a task is always the workers' matter
        rayStartParams: { "num-cpus": "0" },
        template: { spec: { containers: [container("ray-head", "2Gi")] } },
      },
      workerGroupSpecs: [
        {
          groupName: "small",
          replicas: workers,
          minReplicas: 0,
          maxReplicas: 3,
          rayStartParams: {},
          template: { spec: { containers: [container("ray-worker", "1Gi")] } },
        },
      ],
      ...more,
    },
  });
}

/** The same without workers, under the Ray autoscaler, which looks every 2 s and takes a worker back after 10 s. */
export function autoscalingCluster(name: string, version: "v1" | "v2"): string {
  return smallCluster(name, 0, {
    enableInTreeAutoscaling: true,
    autoscalerOptions: {
      version,
      idleTimeoutSeconds: 10,
      env: [{ name: "AUTOSCALER_UPDATE_INTERVAL_S", value: "2" }],
    },
  });
}

function container(name: string, memory: string) {
  return { name, image, resources: { limits: { cpu: "1", memory }, requests: { cpu: "500m", memory } } };
}
