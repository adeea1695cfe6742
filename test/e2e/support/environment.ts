// One cluster with a real node for all end-to-end tests of a run.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "mocha";
import { Client } from "../../../src/kube/client.ts";
import { loadConnection } from "../../../src/kube/kubeconfig.ts";
import { type LocalCluster, startLocalCluster } from "../../../src/local/cluster.ts";
import { run } from "../../../src/local/image/exec.ts";
import { installCrds } from "../../../src/local/install-crds.ts";
import { allPrograms, ensurePrograms } from "../../../src/local/programs.ts";
import { progressOn } from "../../../src/local/progress.ts";
import { canRunReal, ensureImages, type RealNode, startRealNode } from "../../../src/local/real/index.ts";

export interface Environment {
  readonly cluster: LocalCluster;
  readonly node: RealNode;
  /** Runs kubectl as administrator; `input` becomes its standard input. Returns what it prints. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

let started: Promise<Environment> | undefined;
let folder: string | undefined;

/** Why this machine cannot run the tests, or undefined when it can. */
export async function whyNot(): Promise<string | undefined> {
  const capability = await canRunReal();
  return capability.ok ? undefined : `a real node is not possible here:\n  ${capability.missing.join("\n  ")}`;
}

/** The environment of this run; the first caller starts it, with everything that has to be built for it. */
export function environment(): Promise<Environment> {
  started ??= start();
  return started;
}

/** Test files import this module, so the hook ends the environment after the last of them. */
after(async function stopEnvironment() {
  this.timeout(120_000);
  const running = await started?.catch(() => undefined);
  await running?.node.stop();
  await running?.cluster.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<Environment> {
  const progress = progressOn(process.stderr);
  // compiling and fetching at the same time: a fresh machine has both to do
  await Promise.all([ensurePrograms(allPrograms, progress), ensureImages(progress)]);
  folder = mkdtempSync(join(tmpdir(), "ray-operator-e2e-"));
  const cluster = await startLocalCluster({ name: "e2e", nodes: "real", stateDir: join(folder, "cluster"), progress });
  try {
    const node = await startRealNode(cluster, { progress, cpus: 16 });
    const client = new Client(await loadConnection({ kubeconfig: cluster.kubeconfig }));
    await installCrds(client);
    await client.close();
    const kubectl = (args: readonly string[], input?: string) =>
      run(
        join(cluster.binDir, "kubectl"),
        [`--kubeconfig=${cluster.kubeconfig}`, ...args],
        input === undefined ? {} : { input },
      );
    return { cluster, node, kubectl };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}
