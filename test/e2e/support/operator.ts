// The operator under test: a process on this host, or its image in the cluster.

import { run } from "../../../src/local/image/exec.ts";
import { buildOperatorImage } from "../../../src/local/image/operator-image.ts";
import { freePorts } from "../../../src/local/ports.ts";
import type { Environment } from "./environment.ts";
import { eventually } from "./eventually.ts";

export interface RunningOperator {
  /** The end of its log. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts the operator from the sources, as a user starts it beside a cluster. */
export async function startOperatorProcess({ cluster }: Environment): Promise<RunningOperator> {
  const [metrics, health] = await freePorts(2);
  const operator = cluster.run({
    name: "operator",
    command: process.execPath,
    args: [
      "src/main.ts",
      `--kubeconfig=${cluster.kubeconfig}`,
      "--enable-leader-election=false",
      "--use-kubernetes-proxy",
      `--metrics-addr=127.0.0.1:${metrics}`,
      `--health-probe-bind-address=127.0.0.1:${health}`,
    ],
    cwd: process.cwd(),
  });
  await eventually("the operator to be ready", 60, async () => {
    if (operator.failed) throw operator.failure();
    return (await fetch(`http://127.0.0.1:${health}/readyz`)).ok;
  });
  return { log: () => run("tail", ["-n", "60", operator.logFile]), stop: () => operator.stop() };
}

/**
 * Builds the operator's image and deploys it as a user does: `kubectl apply -k .`, with the service account and the
 * role that come with it.
 */
export async function deployOperator({ node, kubectl }: Environment): Promise<RunningOperator> {
  await run("npm", ["run", "--silent", "build"]);
  const manifests = await kubectl(["kustomize", "."]);
  const asked = /image: (\S+)/.exec(manifests)?.[1] ?? "";
  const name = `docker.io/library/${asked}`;
  const { layout } = await buildOperatorImage({ project: ".", folder: "dist/image", name });
  await node.importImage(layout, [name]);
  await kubectl(["apply", "-f", "-"], manifests);
  const deployment = ["--namespace=default", "deployment/kuberay-operator"];
  await kubectl(["rollout", "status", "--timeout=120s", ...deployment]);
  return {
    log: () => kubectl(["logs", "--tail=60", ...deployment]),
    // the CRDs stay: with them all Ray objects would go
    stop: async () => {
      await kubectl(["delete", "--ignore-not-found", ...deployment]);
    },
  };
}
