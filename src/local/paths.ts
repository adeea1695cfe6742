// Where things are: the checkout that holds the programs' sources, and the cache that holds what was built of them.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The folder `src/local` of the checkout that this code was started from, whether as TypeScript or as the bundle in
 * `dist`. Throws where there is no checkout, as in the image.
 */
export function localSources(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, "src", "local");
    if (existsSync(join(candidate, "programs", "kubernetes", "go.mod"))) return candidate;
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error("a local cluster needs a checkout of the project: src/local/programs is not here");
    }
    folder = parent;
  }
}

/** The root of the checkout (see {@link localSources}). */
export function checkoutRoot(): string {
  return dirname(dirname(localSources()));
}

/** `${RAY_OPERATOR_CACHE:-${XDG_CACHE_HOME:-~/.cache}/ray-operator}`: programs, images, and the state of instances. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment.RAY_OPERATOR_CACHE;
  if (own) return resolve(own);
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "ray-operator");
}

/** The state folder of the instance with the given name. */
export function instanceFolder(name: string, environment: NodeJS.ProcessEnv = process.env): string {
  return join(cacheFolder(environment), "instances", name);
}
