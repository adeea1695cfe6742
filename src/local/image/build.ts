import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withLock } from "../lock.ts";
import { cacheFolder } from "../paths.ts";
import { formatElapsed, type Progress, type Task } from "../progress.ts";
import { bootstrap } from "./debian.ts";
import { addLayer, createLayout, writeIndex } from "./oci-layout.ts";
import { installRay } from "./python.ts";
import { caBundle, images, rayVersion, recipeHash, wheelFolder } from "./recipe.ts";

/** Where the images are once they are built: an OCI layout, named by its recipe. */
export function imageFolder(): string {
  return join(cacheFolder(), "images", recipeHash());
}

/** Whether {@link ensureImages} would have nothing to do. */
export async function imagesAreBuilt(): Promise<boolean> {
  return stat(join(imageFolder(), "index.json")).then(
    () => true,
    () => false,
  );
}

/**
 * Makes sure that the images of `recipe.ts` are in the cache, and returns their OCI layout folder. Building them takes
 * about a minute and a half, needs root, debootstrap and the package registries; a second caller waits for the first.
 */
export async function ensureImages(progress: Progress): Promise<string> {
  const folder = imageFolder();
  if (await imagesAreBuilt()) return folder;
  const images = dirname(folder);
  await mkdir(images, { recursive: true });
  const waiting = () => progress.note("Another process is building the Ray image: waiting for it.");
  await withLock(`images ${images}`, waiting, async () => {
    await removeLeftovers(images);
    if (!(await imagesAreBuilt())) await build(folder, progress);
  });
  return folder;
}

/** What a builder that was killed left. Only called with the lock held. */
async function removeLeftovers(images: string): Promise<void> {
  for (const name of await readdir(images)) {
    if (name.includes(".partial")) await rm(join(images, name), { recursive: true, force: true });
  }
}

async function build(folder: string, progress: Progress): Promise<void> {
  const started = performance.now();
  const task = progress.task("Building the Ray image from Debian and PyPI, needed once");
  const work = `${folder}.partial`;
  try {
    const layout = await buildLayout(work, task);
    await rename(layout, folder);
  } catch (error) {
    task.failed();
    throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  task.done(`Built the Ray image (Ray ${rayVersion}) in ${formatElapsed(performance.now() - started)}.`);
}

async function buildLayout(work: string, task: Task): Promise<string> {
  const root = join(work, "root");
  const layout = join(work, "layout");
  await createLayout(layout);
  task.update("Debian base");
  await bootstrap(root, task);
  task.update("Debian base: layer");
  // proc, sys and dev are mounted over by the runtime
  const base = await addLayer(layout, [`--directory=${root}`, ...exclude("./proc/*", "./sys/*", "./dev/*"), "."]);
  await installRay(root, task);
  task.update("Ray: layer");
  const paths = ["home/ray", wheelFolder, caBundle, "etc/pip.conf", "etc/sudoers.d/ray"];
  const ray = await addLayer(layout, [`--directory=${root}`, ...paths.map((path) => path.replace(/^\//, ""))]);
  const layers = { base, ray };
  await writeIndex(
    layout,
    images.map((image) => ({ ...image, layers: image.layers.map((layer) => layers[layer]) })),
  );
  return layout;
}

function exclude(...patterns: readonly string[]): string[] {
  return patterns.map((pattern) => `--exclude=${pattern}`);
}
