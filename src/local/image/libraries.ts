// The shared libraries that Node is linked to, from Debian's packages, for an image that has nothing else of Debian.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { run } from "./exec.ts";

/** No CA certificates: Node brings its own, and the API server's comes with the service account. */
const packages = ["libatomic1", "libc6", "libgcc-s1", "libstdc++6"];

/**
 * Makes the folder `root` with the libraries and their licences, in the versions that this host would install.
 *
 * @throws Error when there is no `apt-get` or `dpkg-deb`, or the packages cannot be fetched
 */
export async function addLibraries(root: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "ray-operator-libraries-"));
  try {
    const unpacked = join(work, "root");
    await unpack(packages, work, unpacked);
    await unpack(await licencePackages(unpacked), work, unpacked);
    await prune(unpacked);
    await linkToUsr(unpacked);
    await run("cp", ["--archive", unpacked, root]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpack(names: readonly string[], work: string, root: string): Promise<void> {
  if (names.length === 0) return;
  for (const archive of await download(names, work)) await run("dpkg-deb", ["--extract", archive, root]);
}

/** Packages of one source keep their licence in one of them, which the others' folders of documentation link to. */
async function licencePackages(root: string): Promise<string[]> {
  const folder = join(root, "usr/share/doc");
  const links = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isSymbolicLink());
  const targets = await Promise.all(links.map(async ({ name }) => basename(await readlink(join(folder, name)))));
  return [...new Set(targets)].filter((name) => !existsSync(join(folder, name)));
}

/** Leaves libraries and licences. */
async function prune(root: string): Promise<void> {
  const remove = (...path: string[]) => rm(join(root, ...path), { recursive: true, force: true });
  await remove("etc");
  for (const name of await readdir(join(root, "usr/share"))) if (name !== "doc") await remove("usr/share", name);
  for (const file of await readdir(join(root, "usr/share/doc"), { recursive: true, withFileTypes: true })) {
    // force: a linked folder is listed under both its names
    if (file.isFile() && file.name !== "copyright") await rm(join(file.parentPath, file.name), { force: true });
  }
  // character sets of iconv: 8 MB, and Node has its own
  for (const name of await readdir(join(root, "usr/lib"))) await remove("usr/lib", name, "gconv");
}

/** Newer releases ship libraries below /usr only, and leave these links to a package that is not here. */
async function linkToUsr(root: string): Promise<void> {
  for (const name of ["lib", "lib64"]) {
    const missing = existsSync(join(root, "usr", name)) && !existsSync(join(root, name));
    if (missing) await symlink(`usr/${name}`, join(root, name));
  }
}

/** Downloads packages; with package lists of its own where this host has none. Returns the archives. */
async function download(names: readonly string[], work: string): Promise<string[]> {
  const archives = await mkdtemp(join(work, "archives-"));
  const state = join(work, "state");
  const own = [
    `--option=Dir::State=${state}`,
    "--option=Dir::State::status=/var/lib/dpkg/status",
    `--option=Dir::Cache=${join(work, "cache")}`,
  ];
  const apt = (...args: readonly string[]) =>
    run("apt-get", ["-qq", "--option=APT::Sandbox::User=root", ...args], { cwd: archives });
  try {
    if (existsSync(state)) await apt(...own, "download", ...names);
    else await apt("download", ...names);
  } catch (error) {
    if (existsSync(state)) throw error;
    await mkdir(join(state, "lists/partial"), { recursive: true });
    await mkdir(join(work, "cache/archives/partial"), { recursive: true });
    await apt(...own, "update");
    await apt(...own, "download", ...names);
  }
  return (await readdir(archives)).filter((name) => name.endsWith(".deb")).map((name) => join(archives, name));
}
