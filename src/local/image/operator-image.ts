// The operator's own image: Node, the libraries it is linked to, and the bundle. No shell, no package manager, nothing
// that can be written to.

import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addLibraries } from "./libraries.ts";
import { addLayer, createLayout, writeIndex } from "./oci-layout.ts";
import type { ImageConfig } from "./recipe.ts";

export interface OperatorImageOptions {
  /** The project's folder, with `node_modules` and `dist/ray-operator.mjs`. */
  readonly project: string;
  /** Where the image is written; whatever is there is replaced. */
  readonly folder: string;
  /** Fully qualified, with a tag. */
  readonly name: string;
}

export interface OperatorImage {
  /** OCI layout folder with the image. */
  readonly layout: string;
  /** Bytes, not compressed. */
  readonly size: number;
}

const user = 65532;
const program = "/opt/ray-operator/ray-operator.mjs";

/** Paths that start the program: the first is where KubeRay's manifests look for it. */
const commands = ["manager", "usr/local/bin/ray-operator"];

export const operatorConfig: ImageConfig = {
  Env: ["PATH=/usr/local/bin", "NODE_ENV=production"],
  User: `${user}:${user}`,
  WorkingDir: "/",
  Entrypoint: ["/manager"],
};

/**
 * Builds the image. Beside it, in the folders `platform` and `application`, stays its root file system in two parts:
 * what changes with Node, and what changes with each build. Needs Debian's `apt-get` and `dpkg-deb` (to fetch 4 MB of
 * libraries as this host would), and no right but to write to the folder.
 */
export async function buildOperatorImage(options: OperatorImageOptions): Promise<OperatorImage> {
  await rm(options.folder, { recursive: true, force: true });
  const platform = join(options.folder, "platform");
  const application = join(options.folder, "application");
  const layout = join(options.folder, "layout");
  await createLayout(layout);
  await fillPlatform(platform, options.project);
  await fillApplication(application, options.project);

  // the same content gives the same layer, which a node that has it need not import again
  const plain = ["--owner=0", "--group=0", "--mode=u=rwX,go=rX", "--mtime=@0"];
  const layers = [];
  for (const root of [platform, application])
    layers.push(await addLayer(layout, [...plain, `--directory=${root}`, "."]));
  await writeIndex(layout, [{ name: options.name, layers, config: operatorConfig }]);
  return { layout, size: layers.reduce((sum, layer) => sum + layer.size, 0) };
}

/** Node and its libraries, and the few files that they look for. */
async function fillPlatform(root: string, project: string): Promise<void> {
  await addLibraries(root);
  await mkdir(join(root, "usr/local/bin"), { recursive: true });
  await copyFile(join(project, `node_modules/node-linux-${process.arch}/bin/node`), join(root, "usr/local/bin/node"));
  await chmod(join(root, "usr/local/bin/node"), 0o755);
  await mkdir(join(root, "etc"), { recursive: true });
  await writeFile(join(root, "etc/passwd"), passwd("/nonexistent:/nonexistent"));
  await writeFile(join(root, "etc/group"), `root:x:0:\nnonroot:x:${user}:\n`);
  await writeFile(join(root, "etc/nsswitch.conf"), "hosts: files dns\n");
}

function passwd(homeAndShell: string): string {
  return `root:x:0:0:root:${homeAndShell}\nnonroot:x:${user}:${user}:nonroot:${homeAndShell}\n`;
}

async function fillApplication(root: string, project: string): Promise<void> {
  await mkdir(join(root, "opt/ray-operator"), { recursive: true });
  await copyFile(join(project, "dist/ray-operator.mjs"), join(root, program));
  for (const command of commands) {
    const path = join(root, command);
    await mkdir(join(path, ".."), { recursive: true });
    // without a shell, the kernel itself starts Node
    await writeFile(path, `#!/usr/local/bin/node\nimport ${JSON.stringify(program)};\n`);
    await chmod(path, 0o755);
  }
}
