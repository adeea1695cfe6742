// A node that says it has more CPUs than its host: samples and tests request more than a small machine has.

import { type LocalApi, mergePatch } from "../api.ts";

/** The part of a Node that is read here. */
export interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly capacity?: Readonly<Record<string, string>>;
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastHeartbeatTime?: string;
    }[];
  };
}

/**
 * Whether the node's kubelet has reported it Ready since the given time (milliseconds since 1970). An older report is
 * of an earlier run.
 */
export function isReadySince(node: NodeObject | undefined, since: number): boolean {
  const ready = node?.status?.conditions?.find(({ type }) => type === "Ready");
  const reported = Date.parse(ready?.lastHeartbeatTime ?? "");
  return ready?.status === "True" && reported >= Math.floor(since / 1000) * 1000;
}

/**
 * Writes the number of CPUs into the node's status, and again whenever the kubelet has put its own number there (as it
 * does a few times while it starts). The kubelet's admission reads its node from the API server, so it agrees.
 * Returns when it is written for the first time.
 */
export async function keepCpus(api: LocalApi, name: string, cpus: number, signal: AbortSignal): Promise<void> {
  const wanted = `${cpus}`;
  const path = `/api/v1/nodes/${name}/status`;
  const amount = { cpu: wanted };
  const write = () => api.request("PATCH", path, { status: { capacity: amount, allocatable: amount } }, mergePatch);
  await write();
  void api.watch<NodeObject>(
    "/api/v1/nodes",
    ({ type, object }) => {
      if (type !== "MODIFIED" && type !== "ADDED") return;
      if (object.metadata.name !== name || object.status?.allocatable?.cpu === wanted) return;
      write().catch(() => undefined); // the API server restarts: the next watch begins with ADDED
    },
    signal,
  );
}
