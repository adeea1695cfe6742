// A local cluster with the nodes that this machine allows.

import { type LocalCluster, type LocalClusterOptions, startLocalCluster } from "./cluster.ts";
import { silent } from "./progress.ts";

export type Nodes = "real" | "simulated" | "none";

/** Which nodes an instance gets, and why not others. */
export interface NodeChoice {
  readonly nodes: Nodes;
  /** One line for the user, when real nodes were not possible. */
  readonly reason?: string;
}

/** A running cluster with its nodes. */
export interface Instance {
  readonly cluster: LocalCluster;
  /** Ends all; the data is removed unless `keep` is set. */
  stop(how?: { readonly keep?: boolean }): Promise<void>;
}

/**
 * The nodes that were wished, else real ones where the machine allows them, else simulated ones.
 *
 * @throws Error with what is missing, when real nodes were wished and are not possible.
 */
export async function chooseNodes(wish: Nodes | undefined): Promise<NodeChoice> {
  if (wish === "none" || wish === "simulated") return { nodes: wish };
  const missing = await missingForReal();
  if (missing.length === 0) return { nodes: "real" };
  if (wish === "real") throw new Error(`a real node is not possible here:\n  ${missing.join("\n  ")}`);
  return {
    nodes: "simulated",
    reason: `Simulated nodes, because a real one is not possible here: ${missing.join(" ")}`,
  };
}

/** Starts a cluster and its nodes. Whatever fails, nothing of it is left running. */
export async function startInstance(options: LocalClusterOptions & { readonly nodes: Nodes }): Promise<Instance> {
  const cluster = await startLocalCluster(options);
  if (options.nodes !== "real") return { cluster, stop: (how) => cluster.stop(how) };
  try {
    const { startRealNode } = await import("./real/index.ts");
    const node = await startRealNode(cluster, { progress: options.progress ?? silent });
    const stop = async (how?: { readonly keep?: boolean }) => {
      await node.stop();
      await cluster.stop(how);
    };
    return { cluster, stop };
  } catch (error) {
    await cluster.stop({ keep: true });
    throw error;
  }
}

async function missingForReal(): Promise<readonly string[]> {
  const { canRunReal } = await import("./real/index.ts");
  const capability = await canRunReal();
  if (!capability.ok) return capability.missing;
  const { takeNode } = await import("./real/owner.ts");
  try {
    const { lock } = await takeNode();
    await lock.release();
    return [];
  } catch (error) {
    return [`${(error as Error).message}.`];
  }
}
