// Simulated nodes: kwok plays their kubelets.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LocalApi } from "../api.ts";
import type { ProgramStart } from "../process.ts";
import { until } from "../wait.ts";
import { stages } from "./stages.ts";

/** kwok for the nodes that {@link createNodes} makes; pods get addresses of the range `pods`. */
export function kwok(binDir: string, folder: string, pods: string): ProgramStart {
  const config = join(folder, "kwok.yaml");
  writeFileSync(
    config,
    stages()
      .map((one) => JSON.stringify(one))
      .join("\n---\n"),
  );
  const args = [
    `--kubeconfig=${join(folder, "kubeconfig")}`,
    `--config=${config}`,
    "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
    // The first addresses are the nodes' and the link's.
    `--cidr=${pods.replace(/\.0\/(\d+)$/, ".10/$1")}`,
    `--node-ip=${nodeAddress(pods)}`,
    "--node-lease-duration-seconds=40",
    // The stages come from the file: kwok's own kinds need not exist in the cluster.
    "--enable-crds=",
    // Nothing asks kwok for logs, and a fixed port would keep a second instance from starting.
    "--server-address=127.0.0.1:0",
    "--v=WARN",
  ];
  return { name: "kwok", command: join(binDir, "kwok"), args, cwd: folder };
}

/** Lets a new kwok have nodes of an earlier run at once: otherwise it waits until the old one's leases have run out. */
export async function forgetNodeLeases(api: LocalApi): Promise<void> {
  await api.request("DELETE", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
}

/** Creates the nodes `simulated-0`, ... (or keeps those there are) and waits until all are Ready. */
export async function createNodes(api: LocalApi, count: number, check: () => void): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `simulated-${index}`);
  await Promise.all(names.map((name) => api.createIfMissing("/api/v1/nodes", node(name))));
  const allReady = async () => {
    const list = await api.get<{ items: NodeStatus[] }>("/api/v1/nodes");
    return list.items.filter(isReady).length >= count;
  };
  await until("the simulated nodes to be Ready", 60_000, allReady, check);
}

interface NodeStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function isReady(one: NodeStatus): boolean {
  return one.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** All nodes share the first address of the range of pods. */
function nodeAddress(pods: string): string {
  return pods.replace(/\.0\/\d+$/, ".1");
}

function node(name: string): object {
  // More than any sample or test asks for, so that a pod is unschedulable only where somebody wants it so.
  const resources = {
    cpu: "1000",
    memory: "4Ti",
    "ephemeral-storage": "16Ti",
    pods: "1000",
    "nvidia.com/gpu": "1000",
    "amd.com/gpu": "1000",
    "google.com/tpu": "1000",
    "aws.amazon.com/neuroncore": "1000",
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      annotations: { "kwok.x-k8s.io/node": "fake" },
      labels: {
        type: "kwok",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "simulated",
      },
    },
    status: { capacity: resources, allocatable: resources },
  };
}
