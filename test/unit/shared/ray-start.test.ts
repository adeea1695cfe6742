import { expect } from "chai";
import type { Container } from "../../../api/v1/kubernetes.ts";
import type { HeadGroupSpec, RayCluster, WorkerGroupSpec } from "../../../api/v1/raycluster.ts";
import { headStartParams, rayStartCommand, workerStartParams } from "../../../controllers/shared/ray-start.ts";

function cluster(head: Partial<HeadGroupSpec> = {}, spec: object = {}): RayCluster {
  const template = { spec: { containers: [{ name: "ray" }] } };
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name: "c", namespace: "ml" },
    spec: { headGroupSpec: { template, ...head }, ...spec },
  };
}

interface Case {
  group?: Partial<WorkerGroupSpec>;
  limits?: Record<string, string>;
  requests?: Record<string, string>;
}

/** What a worker's command has beyond the options that every worker has. */
function worker({ group = {}, limits, requests }: Case): string {
  const container: Container = { name: "ray", resources: { ...(limits && { limits }), ...(requests && { requests }) } };
  const spec: WorkerGroupSpec = { groupName: "g", template: { spec: { containers: [container] } }, ...group };
  const command = rayStartCommand("worker", workerStartParams(cluster(), spec, "host", container));
  return ["address=host:6379", "block", "dashboard-agent-listen-port=52365", "metrics-export-port=8080"].reduce(
    (rest, option) => {
      expect(rest).to.contain(` --${option} `);
      return rest.replace(` --${option} `, "");
    },
    command.replace("ray start ", ""),
  );
}

describe("ray start", () => {
  it("of a head without any wishes has the dashboard open to the service", () => {
    const command = rayStartCommand("head", headStartParams(cluster(), { name: "ray" }));
    expect(command).to.equal(
      "ray start --head  --block  --dashboard-agent-listen-port=52365  --dashboard-host=0.0.0.0  --metrics-export-port=8080 ",
    );
  });

  const cases: [string, Case, string][] = [
    ["rounds fractions of a CPU up", { limits: { cpu: "1500m" } }, " --num-cpus=2 "],
    ["takes the CPU request where there is no limit", { requests: { cpu: "500m" } }, " --num-cpus=1 "],
    ["does not take the memory request", { requests: { memory: "1Gi" } }, ""],
    ["takes the memory limit in bytes", { limits: { memory: "1.5Gi" } }, " --memory=1610612736 "],
    ["knows GPUs", { limits: { "nvidia.com/gpu": "1" } }, " --num-gpus=1 "],
    ["knows slices of GPUs", { limits: { "nvidia.com/mig-2g.32gb": "1" } }, " --num-gpus=1 "],
    [
      "takes the first kind of GPU that is not zero",
      { limits: { "a/gpu": "0", "b/gpu": "2", "c/gpu": "3" } },
      " --num-gpus=2 ",
    ],
    ["knows TPUs", { limits: { "google.com/tpu": "4" } }, ` --resources='{"TPU":4}' `],
    [
      "adds one kind of accelerator only",
      { limits: { "google.com/tpu": "8", "aws.amazon.com/neuroncore": "4", "nvidia.com/gpu": "1" } },
      ` --num-gpus=1  --resources='{"neuron_cores":4}' `,
    ],
    [
      "adds accelerators to the user's resources",
      {
        group: { rayStartParams: { resources: '"{"custom_resource":2}"' } },
        limits: { "aws.amazon.com/neuroncore": "4" },
      },
      ` --resources='{"custom_resource":2,"neuron_cores":4}' `,
    ],
    [
      "leaves the user's accelerators alone",
      {
        group: { rayStartParams: { resources: `'{"custom_resource":2,"TPU":4}'` } },
        limits: { "google.com/tpu": "8" },
      },
      ` --resources='{"custom_resource":2,"TPU":4}' `,
    ],
    [
      "detects nothing beside resources that it cannot read",
      { group: { rayStartParams: { resources: "{" } }, limits: { "google.com/tpu": "8", "nvidia.com/gpu": "1" } },
      " --resources={ ",
    ],
    [
      "takes null for no resources",
      { group: { rayStartParams: { resources: "null" } }, limits: { "google.com/tpu": "8" } },
      ` --resources='{"TPU":8}' `,
    ],
    [
      "prefers the user's parameters",
      { group: { rayStartParams: { "num-cpus": "0" } }, limits: { cpu: "4" } },
      " --num-cpus=0 ",
    ],
    [
      "gives switches without a value",
      { group: { rayStartParams: { verbose: "True", quiet: "false" } } },
      " --verbose ",
    ],
    [
      "gives three options their boolean",
      { group: { rayStartParams: { "include-log-monitor": "false" } } },
      " --include-log-monitor=false ",
    ],
    ["keeps an empty value", { group: { rayStartParams: { "temp-dir": "" } } }, " --temp-dir= "],
    ["blocks even if told not to", { group: { rayStartParams: { block: "false" } } }, ""],
    [
      "takes the group's resources, overriding parameters and limits",
      {
        group: {
          rayStartParams: { resources: "'{\"old\":1}'" },
          resources: { CPU: "1500m", memory: "1Gi", "nvidia.com/gpu": "2", Custom: "2.5", B: "4", bad: "x" },
        },
        limits: { cpu: "8" },
      },
      ` --memory=1073741824  --num-cpus=2  --num-gpus=2  --resources='{"B":4,"Custom":2.5}' `,
    ],
    ["takes the group's labels, sorted", { group: { labels: { b: "2", "a/x": "1" } } }, " --labels=a/x=1,b=2 "],
  ];
  for (const [title, input, expected] of cases) {
    it(title, () => expect(worker(input)).to.equal(expected));
  }

  it("of a worker goes to the head's port", () => {
    const head = cluster({ rayStartParams: { port: "6380" } });
    const group: WorkerGroupSpec = { groupName: "g", template: {}, rayStartParams: { port: "1" } };
    const params = workerStartParams(head, group, "host", { name: "ray" });
    expect(params.address).to.equal("host:6380");
    expect(params.port).to.equal("1");
  });

  it("of a head leaves scaling to the autoscaler, and credentials to the environment", () => {
    const options = { redisAddress: "redis:6379", redisUsername: { value: "u" }, redisPassword: { value: "p" } };
    const scaled = cluster({}, { enableInTreeAutoscaling: true, gcsFaultToleranceOptions: options });
    const params = headStartParams(scaled, { name: "ray" });
    expect(params["no-monitor"]).to.equal("true");
    expect(params["redis-username"]).to.equal("$REDIS_USERNAME");
    expect(params["redis-password"]).to.equal("$REDIS_PASSWORD");
  });
});
