import { expect } from "chai";
import type { Container } from "../../../api/v1/kubernetes.ts";
import type { RayCluster, WorkerGroupSpec } from "../../../api/v1/raycluster.ts";
import { formatQuantity, ZERO } from "../../../controllers/shared/quantity.ts";
import {
  desiredGroupWorkers,
  desiredReplicas,
  desiredResourceStatus,
  desiredWorkers,
  gpuTotal,
  isGpuResource,
  maxWorkers,
  minResources,
  minWorkers,
  podResources,
} from "../../../controllers/shared/replicas.ts";

const container = (requests: Record<string, string>, limits: Record<string, string> = {}): Container => ({
  name: "ray",
  resources: { requests, limits },
});

function group(fields: Partial<WorkerGroupSpec>, requests: Record<string, string> = {}): WorkerGroupSpec {
  return { groupName: "g", template: { spec: { containers: [container(requests)] } }, ...fields };
}

function cluster(head: Record<string, string>, ...workerGroupSpecs: WorkerGroupSpec[]): RayCluster {
  const headGroupSpec = { template: { spec: { containers: [container(head)] } } };
  const metadata = { name: "c", namespace: "ml" };
  return { apiVersion: "ray.io/v1", kind: "RayCluster", metadata, spec: { headGroupSpec, workerGroupSpecs } };
}

describe("Replicas", () => {
  it("are kept within the group's bounds, the lower bound first", () => {
    const cases: [Partial<WorkerGroupSpec>, number][] = [
      [{}, 0],
      [{ replicas: 3 }, 3],
      [{ replicas: 0, minReplicas: 2 }, 2],
      [{ minReplicas: 2 }, 2],
      [{ replicas: 5, maxReplicas: 2 }, 2],
      [{ replicas: -1 }, 0],
      [{ replicas: 1, minReplicas: 5, maxReplicas: 2 }, 5],
      [{ replicas: 3, minReplicas: 1, suspend: true }, 0],
    ];
    for (const [fields, expected] of cases) {
      expect(desiredReplicas(group(fields)), JSON.stringify(fields)).to.equal(expected);
    }
  });

  it("are counted in pods for groups of several hosts", () => {
    expect(desiredGroupWorkers(group({ replicas: 2, numOfHosts: 4 }))).to.equal(8);
    expect(desiredGroupWorkers(group({ replicas: 2, numOfHosts: 0 }))).to.equal(0);
  });

  it("sum up over groups, without suspended ones, to at most an int32", () => {
    const several = cluster(
      {},
      group({ replicas: 2, minReplicas: 1, maxReplicas: 3, numOfHosts: 2 }),
      group({ replicas: 4, minReplicas: 4, maxReplicas: 9, suspend: true }),
      group({ replicas: 1 }),
    );
    expect(desiredWorkers(several)).to.equal(5);
    expect(minWorkers(several)).to.equal(2);
    expect(maxWorkers(several)).to.equal(2147483647);
    expect(maxWorkers(cluster({}, group({ maxReplicas: 3, numOfHosts: 2 })))).to.equal(6);
  });
});

describe("Desired resources", () => {
  it("are the head's and, for each replica and host, the workers'", () => {
    const wide = group({ replicas: 4, minReplicas: 3, numOfHosts: 2 }, { cpu: "1", memory: "200Mi" });
    const both = cluster({ cpu: "1", memory: "100Mi" }, wide);
    expect(desiredResourceStatus(both)).to.deep.equal({
      desiredCPU: "9",
      desiredMemory: "1700Mi",
      desiredGPU: "0",
      desiredTPU: "0",
    });
    const min = minResources(both);
    expect(formatQuantity(min.get("cpu") ?? ZERO)).to.equal("7");
    expect(formatQuantity(min.get("memory") ?? ZERO)).to.equal("1300Mi");
  });

  it("do not overflow, and leave suspended groups out", () => {
    const huge = group({ replicas: 2147483647 }, { cpu: "1" });
    expect(desiredResourceStatus(cluster({ cpu: "1" }, huge)).desiredCPU).to.equal("2147483648");
    expect(desiredResourceStatus(cluster({ cpu: "1" }, { ...huge, suspend: true })).desiredCPU).to.equal("1");
  });

  it("take a limit for the request where there is no request of that name", () => {
    const template = {
      spec: { containers: [container({ cpu: "1" }, { cpu: "2", memory: "1Gi" }), container({ cpu: "1" })] },
    };
    const totals = podResources(template);
    expect([...totals].map(([name, amount]) => [name, formatQuantity(amount)])).to.deep.equal([
      ["cpu", "2"],
      ["memory", "1Gi"],
    ]);
  });

  it("count every name that means GPUs", () => {
    const totals = podResources({
      spec: {
        containers: [
          container({
            "nvidia.com/gpu": "3",
            "nvidia.com/mig-1g.10gb": "2",
            "foo.bar/gpu": "2",
            "google.com/tpu": "1",
          }),
        ],
      },
    });
    expect(formatQuantity(gpuTotal(totals))).to.equal("7");
    const names = ["nvidia.com/gpu", "amd.com/gpu", "gpu", "nvidia.com/mig-2g.32gb"];
    expect(names.every(isGpuResource)).to.equal(true);
    expect(["nvidia.com/gpu.shared", "nvidia.com/gpu-mig-12g.128gb", "cpu"].some(isGpuResource)).to.equal(false);
  });
});
