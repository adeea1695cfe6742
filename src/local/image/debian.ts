import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Task } from "../progress.ts";
import { run } from "./exec.ts";
import { base } from "./recipe.ts";

/**
 * Makes the root file system that all images share: Debian with `base.packages` and the user of the Ray image.
 *
 * @param root a folder that does not exist yet, on a file system that allows device nodes
 */
export async function bootstrap(root: string, task: Task): Promise<void> {
  const mirror = process.env.RAY_OPERATOR_DEBIAN_MIRROR ?? (await hostMirror(base.suite));
  const install = ["--variant=minbase", `--include=${base.packages.join(",")}`, base.suite, root];
  const counted = { retrieved: 0, unpacked: 0, configured: 0 };
  // in a mount namespace of its own, so that a bootstrap that is killed leaves no mount behind
  await run(
    "unshare",
    ["--mount", "--propagation", "private", "debootstrap", ...install, ...(mirror ? [mirror] : [])],
    {
      onLine: (line) => {
        if (line.startsWith("I: Retrieving")) counted.retrieved++;
        else if (line.startsWith("I: Unpacking") || line.startsWith("I: Extracting")) counted.unpacked++;
        else if (line.startsWith("I: Configuring")) counted.configured++;
        else return;
        task.update(
          `Debian base: ${counted.retrieved} packages fetched, ${counted.unpacked} unpacked, ${counted.configured} configured`,
        );
      },
    },
  );
  for (const path of base.removed) {
    for (const name of await readdir(join(root, path))) await rm(join(root, path, name), { recursive: true });
  }
  const { name, uid, gid, home } = base.user;
  await run("chroot", [
    root,
    "useradd",
    "--create-home",
    ...["--home-dir", home, "--shell", "/bin/bash", "--uid", `${uid}`, "--gid", `${gid}`, name],
  ]);
  await mkdir(join(root, "data"));
}

/**
 * The mirror from which this host installs the suite, so that a host with its own mirror needs no second
 * configuration. Undefined when the host has none; debootstrap then takes its own default.
 */
async function hostMirror(suite: string): Promise<string | undefined> {
  const listing = await run("apt-get", ["--print-uris", "update"]).catch(() => "");
  return pickMirror(listing, suite);
}

/**
 * Finds Debian's own archive among the host's package sources. Other vendors' archives name their suites alike, but
 * only Debian's has `<suite>-updates` beside the suite.
 *
 * @param listing the output of `apt-get --print-uris update`
 */
export function pickMirror(listing: string, suite: string): string | undefined {
  const archives = [...listing.matchAll(/^'([^']+?)\/dists\/([^/']+)\//gm)].map(([, url, name]) => ({ url, name }));
  const having = (name: string) => new Set(archives.filter((archive) => archive.name === name).map(({ url }) => url));
  const withUpdates = having(`${suite}-updates`);
  const candidates = [...having(suite)];
  return candidates.find((url) => withUpdates.has(url)) ?? candidates[0];
}

/** Copies what a program in the root needs to reach the network as the host does: resolver, host names, CAs. */
export async function lendNetwork(root: string, caBundle: string): Promise<void> {
  const bundle = process.env.SSL_CERT_FILE ?? caBundle;
  await copyIfThere("/etc/resolv.conf", join(root, "etc/resolv.conf"));
  await copyIfThere("/etc/hosts", join(root, "etc/hosts"));
  await copyIfThere(bundle, join(root, caBundle));
}

/** Copies a file, following links, if it exists. Returns whether it does. */
export async function copyIfThere(from: string, to: string): Promise<boolean> {
  return cp(from, to, { dereference: true }).then(
    () => true,
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return false;
      throw cause;
    },
  );
}
