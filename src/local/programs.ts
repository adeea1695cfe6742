// The programs of a local cluster: taken from KUBEBUILDER_ASSETS, else from the cache, else built with Go from the
// pinned modules in src/local/programs.

import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { buildProgram } from "./go.ts";
import { withLock } from "./lock.ts";
import { cacheFolder, localSources } from "./paths.ts";
import type { Progress } from "./progress.ts";

/** The programs by their usual names; `ray-local` is the project's own helper (src/local/programs/ray-local). */
export type ProgramName =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy"
  | "kubectl"
  | "kwok"
  | "coredns"
  | "ray-local";

/** One Go module in src/local/programs and what comes out of it. */
export interface ProgramModule {
  readonly folder: string;
  /** The package to build. */
  readonly package: string;
  readonly names: readonly ProgramName[];
  readonly ldflags: string;
}

const KUBERNETES_VERSION = "1.34.4";
const versionPackage = "k8s.io/component-base/version";

const modules: readonly ProgramModule[] = [
  { folder: "ray-local", package: ".", names: ["ray-local"], ldflags: "-s -w" },
  {
    folder: "kubernetes",
    package: ".",
    names: ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"],
    // The API server tells its version, and clients decide by it.
    ldflags: [
      "-s -w",
      `-X ${versionPackage}.gitVersion=v${KUBERNETES_VERSION}`,
      `-X ${versionPackage}.gitMajor=${KUBERNETES_VERSION.split(".")[0]}`,
      `-X ${versionPackage}.gitMinor=${KUBERNETES_VERSION.split(".")[1]}`,
      `-X ${versionPackage}.gitTreeState=clean`,
    ].join(" "),
  },
  { folder: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", names: ["kwok"], ldflags: "-s -w" },
  { folder: "coredns", package: ".", names: ["coredns"], ldflags: "-s -w" },
];

/** Every program that {@link ensurePrograms} knows. */
export const allPrograms: readonly ProgramName[] = modules.flatMap((module) => module.names);

/**
 * Returns a folder that holds the programs under their usual names, building what is missing (all of them: about
 * 6 minutes on two cores, once). Safe to call from several processes at once.
 *
 * @throws Error with what to do when Go is missing, too old, or fails.
 */
export async function ensurePrograms(
  names: readonly ProgramName[],
  progress: Progress,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const assets = environment.KUBEBUILDER_ASSETS;
  if (assets && names.every((name) => isExecutable(join(assets, name)))) return assets;

  const root = join(cacheFolder(environment), "programs");
  const folder = join(root, hash([...modules.map(moduleKey), assets ?? ""]));
  mkdirSync(folder, { recursive: true });
  for (const module of modules) {
    const wanted = module.names.filter((name) => names.includes(name));
    const provided = wanted.filter((name) => assets && isExecutable(join(assets, name)));
    const missing = wanted.filter((name) => !provided.includes(name));
    if (missing.length > 0) {
      const built = await ensureBuilt(module, root, progress);
      for (const name of missing) link(built, join(folder, name));
    }
    for (const name of provided) link(join(assets ?? "", name), join(folder, name));
  }
  return folder;
}

async function ensureBuilt(module: ProgramModule, root: string, progress: Progress): Promise<string> {
  const target = join(root, `${module.folder}-${hash([moduleKey(module)])}`, module.folder);
  if (existsSync(target)) return target;
  const waiting = () => progress.note(`Another process is building ${module.folder}: waiting for it.`);
  await withLock(target, waiting, async () => {
    if (!existsSync(target))
      await buildProgram(module, join(localSources(), "programs", module.folder), target, progress);
  });
  return target;
}

/** Whatever decides how a program comes out: its sources, the versions of its modules, and how it is linked. */
function moduleKey(module: ProgramModule): string {
  const folder = join(localSources(), "programs", module.folder);
  const sources = readdirSync(folder)
    .filter((file) => /\.(go|mod|sum)$/.test(file))
    .sort()
    .map((file) => `${file}\n${readFileSync(join(folder, file), "utf8")}`);
  return hash([module.package, module.ldflags, process.arch, ...sources]);
}

function hash(parts: readonly string[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${part.length}:${part}`);
  return sum.digest("hex").slice(0, 16);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Makes or replaces a link in one step, since another process may be starting the program. */
function link(target: string, path: string): void {
  const temporary = `${path}.${process.pid}.${performance.now()}`;
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}
