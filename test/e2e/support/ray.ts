// What a user of Ray does and sees: pods of a cluster, `ray status`, tasks.

import type { Pod } from "../../../api/v1/kubernetes.ts";
import { Label } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import type { Environment } from "./environment.ts";
import { eventually } from "./eventually.ts";

/** Seconds: about ten times what a step takes on an idle machine with two cores. */
export const patience = 300;

interface List<T> {
  readonly items: readonly T[];
}

/** A RayCluster of the tests, with its pods. */
export class ClusterUnderTest {
  readonly #environment: Environment;
  readonly namespace: string;
  readonly name: string;

  constructor(environment: Environment, namespace: string, name: string) {
    this.#environment = environment;
    this.namespace = namespace;
    this.name = name;
  }

  get(): Promise<RayCluster> {
    const path = `/apis/ray.io/v1/namespaces/${this.namespace}/rayclusters/${this.name}`;
    return this.#environment.cluster.api.get<RayCluster>(path);
  }

  /** The cluster's pods of a node type that are not being deleted. */
  async pods(type: "head" | "worker"): Promise<Pod[]> {
    const selector = encodeURIComponent(`${Label.cluster}=${this.name},${Label.nodeType}=${type}`);
    const path = `/api/v1/namespaces/${this.namespace}/pods?labelSelector=${selector}`;
    const { items } = await this.#environment.cluster.api.get<List<Pod>>(path);
    return items.filter((pod) => pod.metadata?.deletionTimestamp === undefined);
  }

  async podNames(type: "head" | "worker"): Promise<string[]> {
    return (await this.pods(type)).map((pod) => pod.metadata?.name ?? "").sort();
  }

  async head(): Promise<string> {
    const [name, ...others] = await this.podNames("head");
    if (name === undefined || others.length > 0) throw new Error(`heads: ${[name, ...others].join(", ") || "none"}`);
    return name;
  }

  /** Merges a patch into the RayCluster, as a user edits it. */
  async patch(patch: object): Promise<void> {
    await this.kubectl(["patch", "raycluster", this.name, "--type=merge", `--patch=${JSON.stringify(patch)}`]);
  }

  /** Edits one field by path (RFC 6902). */
  async set(path: string, value: unknown): Promise<void> {
    const patch = JSON.stringify([{ op: "replace", path, value }]);
    await this.kubectl(["patch", "raycluster", this.name, "--type=json", `--patch=${patch}`]);
  }

  /** Waits until the operator says `ready` and the pods are there and Ready. */
  async becomesReady(workers: number, seconds = patience): Promise<void> {
    await eventually(`${this.name} to be ready with ${workers} workers`, seconds, async () => {
      const { status } = await this.get();
      const pods = [...(await this.pods("head")), ...(await this.pods("worker"))];
      const ready = pods.filter(isReady).length;
      if (status?.state === "ready" && ready === pods.length && pods.length === workers + 1) return true;
      throw new Error(`state ${status?.state}, ${ready} of ${pods.length} pods Ready`);
    });
  }

  /** What `ray status` prints in the head. */
  rayStatus(): Promise<string> {
    return this.exec(["ray", "status"]);
  }

  /** Waits until `ray status` shows so many nodes of the group. */
  async rayShows(count: number, group: string, seconds = patience): Promise<void> {
    const what = `ray status to show ${count} ${group}`;
    await eventually(what, seconds, async () => {
      const status = await this.rayStatus();
      if (aliveNodes(status, group) === count) return true;
      throw new Error(`\n${status}`);
    });
  }

  /** Runs Python in the head with Ray connected, and returns what it assigns to `result`. */
  async python<T>(code: string): Promise<T> {
    const script = `import json, ray\nray.init(address="auto", log_to_driver=False)\n${code}\nprint("RESULT", json.dumps(result))\n`;
    const output = await this.exec(["python", "-"], script);
    const line = output.split("\n").find((text) => text.startsWith("RESULT "));
    if (!line) throw new Error(`no result from Python:\n${output}`);
    return JSON.parse(line.slice("RESULT ".length)) as T;
  }

  /** Runs a remote task on the node with the pod's name and returns the host name that it saw. */
  taskOn(pod: string): Promise<string> {
    return this.python<string>(`
import socket
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
node = next(n["NodeID"] for n in ray.nodes() if n["Alive"] and n["NodeName"] != "" and n["NodeManagerHostname"] == "${pod}")
@ray.remote(num_cpus=1, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False))
def where():
    return socket.gethostname()
result = ray.get(where.remote(), timeout=60)`);
  }

  async exec(command: readonly string[], input?: string): Promise<string> {
    const interactive = input === undefined ? [] : ["--stdin"];
    return this.kubectl(["exec", ...interactive, await this.head(), "--container=ray-head", "--", ...command], input);
  }

  kubectl(args: readonly string[], input?: string): Promise<string> {
    return this.#environment.kubectl([`--namespace=${this.namespace}`, ...args], input);
  }

  /** Deletes the RayCluster and waits until nothing that was made for it is left. */
  async deleteAndLeaveNothing(): Promise<void> {
    await this.kubectl(["delete", "raycluster", this.name, "--wait=false"]);
    const kinds = "rayclusters,pods,services,serviceaccounts,roles,rolebindings,secrets,persistentvolumeclaims";
    await eventually(`${this.name} to leave nothing`, patience, async () => {
      const left = await this.kubectl(["get", kinds, "--output=name"]);
      const others = left.split("\n").filter((name) => name !== "" && name !== "serviceaccount/default");
      if (others.length === 0) return true;
      throw new Error(others.join(", "));
    });
  }
}

/** How many nodes of a group `ray status` lists as active or idle. */
export function aliveNodes(status: string, group: string): number {
  const [, nodes = ""] = /^Active:\n([\s\S]*?)^Pending:/m.exec(status) ?? [];
  const counts = [...nodes.matchAll(/^ (\d+) (\S+)$/gm)].filter(([, , name]) => name === group);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
