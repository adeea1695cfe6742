// `make run`: a Kubernetes on this machine (or the current one) with the operator, until Ctrl-C.

import { delimiter } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../kube/client.ts";
import { loadConnection } from "../kube/kubeconfig.ts";
import type { ResourceType } from "../kube/types.ts";
import type { LocalCluster } from "./cluster.ts";
import { installCrds } from "./install-crds.ts";
import { chooseNodes, type Instance, type Nodes, startInstance } from "./instance.ts";
import { Interrupt } from "./interrupt.ts";
import { LiveStatus } from "./live-status.ts";
import { checkoutRoot } from "./paths.ts";
import { freePorts } from "./ports.ts";
import type { ManagedProcess } from "./process.ts";
import { formatElapsed, type Progress, progressOn } from "./progress.ts";
import { statusCells } from "./status-line.ts";
import { columns } from "./table.ts";
import { until } from "./wait.ts";

export interface RunOptions {
  readonly nodes?: Nodes | undefined;
  readonly name?: string | undefined;
  readonly stateDir?: string | undefined;
  /** Start with an empty cluster even if an earlier run left its data. */
  readonly fresh?: boolean | undefined;
  /** Leave the data for the next run. */
  readonly keep?: boolean | undefined;
  /** The command line that is the operator: Node, its flags, and the program. */
  readonly operator: readonly string[];
  /** Further flags of the operator's. */
  readonly operatorFlags?: readonly string[] | undefined;
}

/**
 * Runs a cluster and the operator until a signal comes, and ends both.
 *
 * @throws Error that says which part failed, with the end of its log.
 */
export async function runLocal(options: RunOptions): Promise<void> {
  const out = process.stdout;
  using interrupt = new Interrupt(() => out.write("\nStopping (Ctrl-C again: at once) ...\n"));
  const progress = progressOn(process.stderr);
  const started = performance.now();
  const instance = await start(options, progress, interrupt.signal);
  try {
    if (interrupt.signal.aborted) return;
    const client = new Client(await loadConnection({ kubeconfig: instance.cluster.kubeconfig }));
    const kinds = await installCrds(client);
    const operator = await startOperator(instance.cluster, options, interrupt.signal);
    out.write(`${welcome(instance.cluster, formatElapsed(performance.now() - started)).join("\n")}\n`);
    await showUntilEnd(instance.cluster, client, kinds, operator, interrupt);
    await client.close();
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
  } finally {
    await instance.stop({ keep: options.keep ?? false });
  }
}

async function start(options: RunOptions, progress: Progress, signal: AbortSignal): Promise<Instance> {
  const { nodes, reason } = await chooseNodes(options.nodes);
  if (reason) progress.note(reason);
  const { name, stateDir, fresh } = options;
  return await startInstance({
    nodes,
    progress,
    signal,
    ...(name === undefined ? {} : { name }),
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(fresh === undefined ? {} : { fresh }),
  });
}

/** Starts the operator as its own user and returns when it is ready. */
async function startOperator(cluster: LocalCluster, options: RunOptions, signal: AbortSignal): Promise<ManagedProcess> {
  const [metrics = 0, health = 0] = await freePorts(2, "127.0.0.1", [8080, 8082]);
  const [command = process.execPath, ...program] = options.operator;
  const operator = cluster.run({
    name: "operator",
    command,
    args: [
      ...program,
      "run",
      `--kubeconfig=${cluster.kubeconfigFor({ name: "ray-operator", groups: ["system:masters"] })}`,
      "--enable-leader-election=false",
      // A process on the host does not resolve the cluster's names.
      "--use-kubernetes-proxy",
      `--metrics-addr=127.0.0.1:${metrics}`,
      `--health-probe-bind-address=127.0.0.1:${health}`,
      "--log-stdout-encoder=console",
      ...(options.operatorFlags ?? []),
    ],
    cwd: checkoutRoot(),
  });
  cluster.addAddress("operator metrics", `http://127.0.0.1:${metrics}/metrics`);
  cluster.addAddress("operator health", `http://127.0.0.1:${health}/healthz`);
  cluster.addAddress("operator log", operator.logFile);
  const ready = async () => (await fetch(`http://127.0.0.1:${health}/readyz`).catch(() => undefined))?.ok ?? false;
  const check = () => {
    signal.throwIfAborted();
    if (operator.failed) throw operator.failure();
  };
  await until("the operator to be ready", 60_000, ready, check);
  return operator;
}

/** What the user reads first: addresses, and how to go on. */
export function welcome(
  cluster: Pick<LocalCluster, "nodes" | "url" | "addresses" | "kubeconfig" | "binDir">,
  took: string,
): string[] {
  const kubectlAtHand = (process.env.PATH ?? "").split(delimiter).includes(cluster.binDir);
  const nodes = { real: "one real node", simulated: "simulated nodes", none: "no nodes" }[cluster.nodes];
  return [
    `Kubernetes with ${nodes}, and the operator: ready in ${took}.`,
    "",
    ...columns([["API server", cluster.url], ...Object.entries(cluster.addresses)], "  "),
    "",
    `  export KUBECONFIG=${cluster.kubeconfig}`,
    ...(kubectlAtHand ? [] : [`  export PATH=${cluster.binDir}:$PATH`]),
    "  kubectl apply -f config/samples/ray-cluster.sample.yaml",
    "",
    "Ctrl-C ends it. Ray objects:",
  ];
}

async function showUntilEnd(
  cluster: LocalCluster,
  client: Client,
  kinds: readonly ResourceType[],
  operator: ManagedProcess,
  interrupt: Interrupt,
): Promise<void> {
  const status = new LiveStatus(process.stdout);
  const ending = new AbortController();
  const watches = kinds.map((kind) => show(client, kind, status, cluster, ending.signal));
  const failed = new Promise<ManagedProcess>((resolve) => {
    if (operator.failed) resolve(operator);
    cluster.onFailure(resolve);
  });
  const end = await Promise.race([interrupt.wait(), failed]);
  status.end();
  ending.abort();
  await Promise.all(watches);
  if (end) throw end.failure();
}

/** Watches one kind, again and again, and shows its objects. */
async function show(
  client: Client,
  kind: ResourceType,
  status: LiveStatus,
  cluster: LocalCluster,
  signal: AbortSignal,
): Promise<void> {
  // Through the API server's proxy alone a browser does not get in.
  const dashboard = (podIP: string) => (cluster.podsReachable ? `http://${podIP}:8265` : undefined);
  const shown = new Set<string>();
  while (!signal.aborted) {
    const missed = new Set(shown);
    try {
      await client.watch(kind, { signal, sendInitialEvents: true }, ({ type, object }) => {
        const key = object.metadata.uid ?? "";
        if (type === "BOOKMARK") {
          // All present objects were told: what was shown and is not among them went while nobody watched.
          for (const gone of missed) {
            shown.delete(gone);
            status.remove(gone);
          }
          missed.clear();
        } else if (type === "DELETED") {
          shown.delete(key);
          status.remove(key);
        } else {
          missed.delete(key);
          shown.add(key);
          status.set(key, statusCells(object, dashboard));
        }
      });
    } catch {
      // The API server restarts, or the watch has become too old.
    }
    await sleep(500, undefined, { signal }).catch(() => {});
  }
}
