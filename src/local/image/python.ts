import { mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Task } from "../progress.ts";
import { copyIfThere, lendNetwork } from "./debian.ts";
import { run } from "./exec.ts";
import { base, caBundle, pythonPackages, virtualEnvironment, wheelFolder, wheels } from "./recipe.ts";

/** What tells pip of a private index, a proxy or a CA: used while building, never part of an image. */
const lentFiles = [
  { host: "/etc/pip.conf", root: "etc/pip.conf" },
  { host: join(homedir(), ".config/pip/pip.conf"), root: "root/.config/pip/pip.conf" },
  { host: join(homedir(), ".pip/pip.conf"), root: "root/.pip/pip.conf" },
  { host: join(homedir(), ".netrc"), root: "root/.netrc" },
];

/**
 * Installs Ray from PyPI into a virtual environment of the root, and the wheels beside it. pip runs inside the root,
 * with its Python, and is configured as on the host.
 */
export async function installRay(root: string, task: Task): Promise<void> {
  await lendNetwork(root, caBundle);
  for (const file of lentFiles) {
    await mkdir(dirname(join(root, file.root)), { recursive: true });
    await copyIfThere(file.host, join(root, file.root));
  }
  await mkdir(join(root, wheelFolder), { recursive: true });

  task.update("Ray: Python environment");
  await inRoot(root, ["python3", "-m", "venv", virtualEnvironment]);
  let fetched = 0;
  const pip = (args: readonly string[]) =>
    inRoot(
      root,
      [`${virtualEnvironment}/bin/pip`, "--disable-pip-version-check", "--no-cache-dir", ...args],
      (line) => {
        if (/^Collecting /.test(line)) task.update(`Ray: ${++fetched} Python packages fetched`);
        if (/^Installing /.test(line)) task.update(`Ray: installing ${fetched} Python packages`);
      },
    );
  await pip(["install", ...pythonPackages]);
  task.update("Ray: wheels for runtime environments");
  await pip(["wheel", "--wheel-dir", wheelFolder, ...wheels]);

  for (const file of lentFiles) await rm(join(root, file.root), { force: true });
  await writeFile(
    join(root, "etc/pip.conf"),
    `[global]\nfind-links = ${wheelFolder}\ndisable-pip-version-check = true\n`,
  );
  await mkdir(join(root, "etc/sudoers.d"), { recursive: true });
  await writeFile(join(root, "etc/sudoers.d/ray"), "ray ALL=(ALL) NOPASSWD:ALL\n", { mode: 0o440 });
  const { uid, gid, home } = base.user;
  await mkdir(join(root, home, "samples"), { recursive: true });
  await run("chown", ["--recursive", "--no-dereference", `${uid}:${gid}`, join(root, home)]);
}

function inRoot(root: string, command: readonly string[], onLine?: (line: string) => void): Promise<string> {
  return run("chroot", [root, ...command], { env: lentEnvironment(), ...(onLine ? { onLine } : {}) });
}

/** pip's and the network's settings of this process; paths of CA bundles become the one in the root. */
function lentEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    LANG: "C.UTF-8",
  };
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(PIP_|(HTTPS?|ALL|NO)_PROXY$)/i.test(name)) environment[name] = value;
  }
  for (const name of ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]) environment[name] = caBundle;
  return environment;
}
