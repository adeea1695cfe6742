// RayClusters for tests: a valid one that uses every feature, and ways to break it that its schema must notice.
import type { RayCluster } from "../../../api/v1/raycluster.ts";

/** A valid cluster, with everything that the variants below break. */
export function validCluster(): RayCluster {
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name: "valid", namespace: "default" },
    spec: {
      rayVersion: "2.56.0",
      headGroupSpec: {
        rayStartParams: { "dashboard-host": "0.0.0.0" },
        template: {
          metadata: { labels: { team: "a" } },
          spec: {
            containers: [
              {
                name: "ray-head",
                image: "rayproject/ray:2.56.0",
                env: [{ name: "A", value: "1" }],
                ports: [{ containerPort: 6379, name: "gcs-server" }],
                resources: { limits: { cpu: "2", memory: "4Gi" } },
                volumeMounts: [{ name: "data", mountPath: "/data" }],
              },
            ],
            volumes: [{ name: "data", emptyDir: {} }],
          },
        },
      },
      workerGroupSpecs: [
        {
          groupName: "small",
          replicas: 1,
          minReplicas: 0,
          maxReplicas: 3,
          rayStartParams: {},
          template: { spec: { containers: [{ name: "ray-worker", image: "rayproject/ray:2.56.0" }] } },
        },
      ],
    },
  };
}

/** A cluster with one thing wrong, and the field that is to blame. */
export interface BrokenCluster {
  readonly title: string;
  readonly field: string;
  readonly object: unknown;
}

const head = "spec.headGroupSpec";
const headPod = `${head}.template.spec`;
const headContainer = `${headPod}.containers[0]`;
const group = "spec.workerGroupSpecs[0]";

/** Each title with the field that gets a wrong value; undefined removes it. The field is also the one to blame. */
const wrongValues: readonly (readonly [title: string, field: string, value: unknown, blamed?: string])[] = [
  ["a spec that is text", "spec", "small"],
  ["no head", head, undefined],
  ["a head without template", `${head}.template`, undefined],
  ["a template without containers", `${headPod}.containers`, undefined],
  ["containers that are null", `${headPod}.containers`, null],
  ["a container without name", `${headContainer}.name`, undefined],
  ["two containers of one name", `${headPod}.containers[1]`, { name: "ray-head" }],
  ["a variable without name", `${headContainer}.env[0].name`, undefined],
  ["two variables of one name", `${headContainer}.env[1]`, { name: "A" }],
  ["a port number that is text", `${headContainer}.ports[0].containerPort`, "6379"],
  [
    "a port twice, once with the default protocol",
    `${headContainer}.ports[1]`,
    { containerPort: 6379, protocol: "TCP" },
  ],
  ["a mount without path", `${headContainer}.volumeMounts[0].mountPath`, undefined],
  ["two mounts at one path", `${headContainer}.volumeMounts[1]`, { name: "other", mountPath: "/data" }],
  ["two volumes of one name", `${headPod}.volumes[1]`, { name: "data", emptyDir: {} }],
  ["a quantity that is none", `${headContainer}.resources.limits.cpu`, "two"],
  ["a user that is text", `${headPod}.securityContext`, { runAsUser: "ray" }, `${headPod}.securityContext.runAsUser`],
  ["a restart policy that is a number", `${headPod}.restartPolicy`, 1],
  [
    "a probe without port",
    `${headContainer}.livenessProbe`,
    { httpGet: {} },
    `${headContainer}.livenessProbe.httpGet.port`,
  ],
  ["a template label that is a number", `${head}.template.metadata.labels.team`, 1],
  ["start parameters that are no text", `${head}.rayStartParams.num-cpus`, 2],
  ["start parameters that are a list", `${head}.rayStartParams`, ["num-cpus"]],
  [
    "a path type that does not exist",
    `${head}.ingressOptions`,
    { pathType: "Regex" },
    `${head}.ingressOptions.pathType`,
  ],
  ["ingress TLS that is text", `${head}.ingressOptions`, { tls: "on" }, `${head}.ingressOptions.tls`],
  [
    "a head service port without number",
    `${head}.headService`,
    { spec: { ports: [{}] } },
    `${head}.headService.spec.ports[0].port`,
  ],
  ["a service type that is a number", `${head}.serviceType`, 1],
  ["groups that are an object", "spec.workerGroupSpecs", { small: {} }],
  ["a group without name", `${group}.groupName`, undefined],
  ["a group name that is a number", `${group}.groupName`, 7],
  ["a group without template", `${group}.template`, undefined],
  ["replicas that are text", `${group}.replicas`, "1"],
  ["half a replica", `${group}.replicas`, 1.5],
  ["a minimum that is a boolean", `${group}.minReplicas`, true],
  ["a maximum that is text", `${group}.maxReplicas`, "many"],
  ["a number of hosts that is text", `${group}.numOfHosts`, "4"],
  ["group resources that are numbers", `${group}.resources`, { CPU: 1 }, `${group}.resources.CPU`],
  ["a group label that is a boolean", `${group}.labels`, { spot: true }, `${group}.labels.spot`],
  [
    "a worker to delete that is a number",
    `${group}.scaleStrategy`,
    { workersToDelete: [1] },
    `${group}.scaleStrategy.workersToDelete[0]`,
  ],
  ["a priority that is text", `${group}.priority`, "high"],
  ["a version that is a number", "spec.rayVersion", 2.52],
  ["a suspension that is text", "spec.suspend", "true"],
  ["an autoscaling switch that is a number", "spec.enableInTreeAutoscaling", 1],
  ["service annotations that are a list", "spec.headServiceAnnotations", ["a"]],
  ["an upgrade strategy that does not exist", "spec.upgradeStrategy", { type: "Rolling" }, "spec.upgradeStrategy.type"],
  [
    "an autoscaler version that does not exist",
    "spec.autoscalerOptions",
    { version: "v3" },
    "spec.autoscalerOptions.version",
  ],
  [
    "an upscaling mode that does not exist",
    "spec.autoscalerOptions",
    { upscalingMode: "Fast" },
    "spec.autoscalerOptions.upscalingMode",
  ],
  [
    "an idle timeout that is text",
    "spec.autoscalerOptions",
    { idleTimeoutSeconds: "60s" },
    "spec.autoscalerOptions.idleTimeoutSeconds",
  ],
  [
    "a backend that does not exist",
    "spec.gcsFaultToleranceOptions",
    { backend: "etcd" },
    "spec.gcsFaultToleranceOptions.backend",
  ],
  [
    "a storage size that is no quantity",
    "spec.gcsFaultToleranceOptions",
    { storage: { size: "big" } },
    "spec.gcsFaultToleranceOptions.storage.size",
  ],
  [
    "a deletion policy that does not exist",
    "spec.gcsFaultToleranceOptions",
    { storage: { deletionPolicy: "Keep" } },
    "spec.gcsFaultToleranceOptions.storage.deletionPolicy",
  ],
  ["an authentication mode that does not exist", "spec.authOptions", { mode: "password" }, "spec.authOptions.mode"],
  ["a policy mode that does not exist", "spec.networkPolicy", { mode: "Open" }, "spec.networkPolicy.mode"],
  [
    "policy rules for nobody",
    "spec.networkPolicy",
    { workerGroups: [{}] },
    "spec.networkPolicy.workerGroups[0].groupName",
  ],
  [
    "policy rules for one group twice",
    "spec.networkPolicy",
    { workerGroups: [{ groupName: "a" }, { groupName: "a" }] },
    "spec.networkPolicy.workerGroups[1]",
  ],
  ["a manager that is unknown", "spec.managedBy", "someone.example/else"],
  ["an empty manager", "spec.managedBy", ""],
];

/** Every way to break the valid cluster. */
export function brokenClusters(): BrokenCluster[] {
  return wrongValues.map(([title, field, value, blamed]) => ({
    title,
    field: blamed ?? field,
    object: withValue(validCluster(), field, value),
  }));
}

/** Sets the field at a path such as `spec.workerGroupSpecs[0].replicas`, or removes it when the value is undefined. */
export function withValue<T extends object>(object: T, path: string, value: unknown): T {
  const steps = path.split(/[.[\]]+/).filter((step) => step !== "");
  const last = steps.pop() ?? "";
  let parent = object as Record<string, unknown>;
  for (const step of steps) {
    parent[step] ??= {};
    parent = parent[step] as Record<string, unknown>;
  }
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return object;
}
