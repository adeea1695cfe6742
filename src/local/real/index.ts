// A real node on this host: kubelet, containerd, runc, CNI, kube-proxy and CoreDNS, with Ray's image.

import { type NodeCluster, type RealNode, type RealNodeOptions, RunningNode, removeDebris } from "./node.ts";
import { takeNode } from "./owner.ts";
import { canRunReal } from "./prerequisites.ts";

export { ensureImages } from "../image/build.ts";
export type { NodeCluster, RealNode, RealNodeOptions } from "./node.ts";
export { canRunReal } from "./prerequisites.ts";

/**
 * Starts the machine's real node and returns when it is Ready. Removes first what a killed one left.
 *
 * @throws Error when the node is in use by another process (which it names), or with what is missing.
 */
export async function startRealNode(cluster: NodeCluster, options: RealNodeOptions): Promise<RealNode> {
  const capability = await canRunReal();
  if (!capability.ok) throw new Error(`no real node is possible here:\n  ${capability.missing.join("\n  ")}`);
  const { lock, previous } = await takeNode();
  const node = new RunningNode(cluster, options, lock);
  try {
    if (previous) options.progress.note("Removing what an earlier real node left behind.");
    await removeDebris(previous?.dns);
    await node.start();
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

/**
 * Removes what is left of a node whose process was killed, without starting another.
 *
 * @throws Error while one runs
 */
export async function cleanUpRealNode(): Promise<void> {
  const { lock, previous } = await takeNode();
  try {
    await removeDebris(previous?.dns);
  } finally {
    await lock.release();
  }
}
