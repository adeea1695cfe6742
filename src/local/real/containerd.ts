// The container runtime: images in, containers out. Spoken to through `ctr`, which comes with it.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "../image/exec.ts";
import type { Descriptor } from "../image/oci-layout.ts";
import type { ManagedProcess, ProgramStart } from "../process.ts";
import { until } from "../wait.ts";
import { containerdConfig } from "./config.ts";
import { containerdRoot, containerdSocket, nodeFolder, runFolder } from "./paths.ts";

const ctrArguments = ["--address", containerdSocket, "--namespace", "k8s.io"];

/** Starts a program that ends with the cluster. */
export type RunProgram = (start: ProgramStart) => ManagedProcess;

function ctr(...args: readonly string[]): Promise<string> {
  return run("ctr", [...ctrArguments, ...args]);
}

/** Exists while containers may be left in the runtime's database. */
const dirtyFile = (): string => join(containerdRoot(), "in-use");

/**
 * Starts containerd and waits until it answers. Containers that a killed node left in its database are removed first,
 * without the CRI plugin, which would bring them back as sandboxes of pods that no longer exist.
 */
export async function startContainerd(
  runProgram: RunProgram,
  sandboxImage: string,
  cniPlugins: string,
): Promise<ManagedProcess> {
  const root = containerdRoot();
  mkdirSync(root, { recursive: true, mode: 0o711 });
  mkdirSync(runFolder, { recursive: true, mode: 0o711 });
  const config = containerdConfig(root, sandboxImage, cniPlugins);
  if (existsSync(dirtyFile())) {
    const withoutCri = config.replace("disabled_plugins = [", 'disabled_plugins = ["io.containerd.grpc.v1.cri", ');
    const containerd = await launch(runProgram, withoutCri);
    await removeContainers();
    await containerd.stop();
    rmSync(join(root, "io.containerd.grpc.v1.cri", "sandboxes"), { recursive: true, force: true });
    rmSync(join(root, "io.containerd.grpc.v1.cri", "containers"), { recursive: true, force: true });
  }
  writeFileSync(dirtyFile(), `${process.pid}\n`);
  return launch(runProgram, config);
}

async function launch(runProgram: RunProgram, config: string): Promise<ManagedProcess> {
  const file = join(nodeFolder, "containerd.toml");
  writeFileSync(file, config);
  const args = ["--config", file];
  const containerd = runProgram({ name: "containerd", command: "containerd", args, cwd: nodeFolder });
  await until(
    "containerd",
    30_000,
    () => tryRun("ctr", [...ctrArguments, "version"]),
    () => {
      if (containerd.failed) throw containerd.failure();
    },
  );
  return containerd;
}

/** Ends all containers by force and forgets them. Only when the kubelet is gone: it would start them again. */
export async function removeContainers(): Promise<void> {
  const tasks = words(await ctr("tasks", "ls", "--quiet"));
  await Promise.all(tasks.map((task) => tryRun("ctr", [...ctrArguments, "tasks", "rm", "--force", task])));
  const containers = words(await ctr("containers", "ls", "--quiet"));
  if (containers.length > 0) await tryRun("ctr", [...ctrArguments, "containers", "rm", ...containers]);
  if (words(await ctr("containers", "ls", "--quiet")).length === 0) rmSync(dirtyFile(), { force: true });
}

/**
 * Brings the images of an OCI layout folder (or a tar of one) into the runtime, unless it has exactly these already.
 * Returns whether anything was imported.
 */
export async function importImages(layout: string): Promise<boolean> {
  const present = await presentImages();
  const wanted = layoutImages(layout);
  if (wanted && [...wanted].every(([name, digest]) => present.get(name) === digest)) return false;
  if (!wanted) {
    await ctr("images", "import", layout);
    return true;
  }
  const script = 'set -o pipefail; layout=$1; shift; tar --directory="$layout" --create --file=- . | ctr "$@"';
  await run("bash", ["-c", script, "import", layout, ...ctrArguments, "images", "import", "-"]);
  return true;
}

/** Gives an image further names, in place of whatever had them. The runtime never pulls a name it has. */
export async function tagImage(name: string, names: readonly string[]): Promise<void> {
  if (names.length > 0) await ctr("images", "tag", "--force", name, ...names);
}

/** The names in the layout's index with the digests they stand for; undefined when it is not a folder. */
export function layoutImages(layout: string): ReadonlyMap<string, string> | undefined {
  const file = join(layout, "index.json");
  if (!existsSync(file)) return undefined;
  const { manifests } = JSON.parse(readFileSync(file, "utf8")) as { manifests: Descriptor[] };
  return new Map(manifests.map((one) => [one.annotations?.["io.containerd.image.name"] ?? "", one.digest]));
}

async function presentImages(): Promise<ReadonlyMap<string, string>> {
  const [, ...lines] = (await ctr("images", "ls")).split("\n");
  return new Map(lines.map((line) => line.split(/\s+/)).map(([name = "", , digest = ""]) => [name, digest]));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
