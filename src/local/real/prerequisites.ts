// Whether this machine can have a real node, and if not, what is missing and how to get it.

import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { imagesAreBuilt } from "../image/build.ts";
import { tryRun } from "../image/exec.ts";
import { cacheFolder } from "../paths.ts";

type Capability = { readonly ok: true } | { readonly ok: false; readonly missing: readonly string[] };

/** Debian's package of each program. The image is built once; what it needs is not asked for afterwards. */
const programs = {
  containerd: "containerd",
  ctr: "containerd",
  runc: "runc",
  iptables: "iptables",
  ip: "iproute2",
  unshare: "util-linux",
};
const buildPrograms = { debootstrap: "debootstrap", tar: "tar" };

const cniFolders = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
const cniPlugins = ["bridge", "host-local", "loopback", "portmap"];

/** Bytes: the image as an archive, in the runtime, and room for pods; once it is imported, the pods alone. */
const roomForImage = 4e9;
const roomForPods = 1e9;

/** The folder of the CNI plugins, where Debian, others or their own releases put them. */
export function cniPluginFolder(): string | undefined {
  return cniFolders.find((folder) => cniPlugins.every((plugin) => existsSync(join(folder, plugin))));
}

/**
 * Tells whether a real node can run here. What is missing comes in sentences for the user, the last of which is the
 * `apt-get install` line when packages would help.
 */
export async function canRunReal(): Promise<Capability> {
  if (process.platform !== "linux") return { ok: false, missing: ["Linux: a kubelet runs on nothing else."] };
  if (process.getuid?.() !== 0) return { ok: false, missing: ["root: a kubelet, containerd and mounts need it."] };
  const built = await imagesAreBuilt();
  const missing = [...(await missingRights()), ...missingRoom(built), ...takenByOthers()];

  const needed: Record<string, string> = { ...programs, ...(built ? {} : buildPrograms) };
  const absent = Object.keys(needed).filter((program) => !onPath(program));
  const packages = absent.map((program) => needed[program] ?? program);
  if (absent.length > 0) missing.push(`These programs: ${absent.join(", ")}.`);
  if (!cniPluginFolder()) {
    missing.push(`The CNI plugins ${cniPlugins.join(", ")} (looked in ${cniFolders.join(", ")}).`);
    packages.push("containernetworking-plugins");
  }
  if (packages.length > 0) missing.push(`apt-get install ${[...new Set(packages)].sort().join(" ")}`);
  return missing.length === 0 ? { ok: true } : { ok: false, missing };
}

async function missingRights(): Promise<string[]> {
  const missing: string[] = [];
  if (!/ - cgroup2? /.test(readFileSync("/proc/self/mountinfo", "utf8"))) missing.push("Control groups: none mounted.");
  if (onPath("unshare") && !(await tryRun("unshare", ["--mount", "--net", "--pid", "--fork", "true"]))) {
    missing.push("The right to mount and to make namespaces (CAP_SYS_ADMIN).");
  }
  if (onPath("iptables") && !(await tryRun("iptables", ["-w", "-t", "nat", "-S", "POSTROUTING"]))) {
    missing.push("The right to change the network (CAP_NET_ADMIN), or iptables in the kernel.");
  }
  if (!readFileSync("/proc/filesystems", "utf8").includes("overlay") && !(await tryRun("modprobe", ["overlay"]))) {
    missing.push("The file system overlay in the kernel.");
  }
  return missing;
}

function missingRoom(built: boolean): string[] {
  const needed = built ? roomForPods : roomForImage;
  let folder = cacheFolder();
  while (!existsSync(folder)) folder = join(folder, "..");
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= needed) return [];
  return [
    `Room on the disk of ${folder}: ${needed / 1e9} GB, of which ${((bavail * bsize) / 1e9).toFixed(1)} are free.`,
  ];
}

/** A node of another Kubernetes on this machine: both would write the same iptables chains. */
function takenByOthers(): string[] {
  return existsSync("/var/lib/kubelet/config.yaml") || existsSync("/etc/rancher/k3s")
    ? ["A machine without another kubelet: this one is already a node of a Kubernetes."]
    : [];
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
