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
import { modules, type ProgramModule, type ProgramName } from "./program-modules.ts";
import type { Progress } from "./progress.ts";

export type { ProgramName } from "./program-modules.ts";

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
