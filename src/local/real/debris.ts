// What a node leaves behind when it is killed, and how it is removed: processes, mounts, cgroups, links to logs.

import { readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../image/exec.ts";
import { cgroupRoot, containerdSocket, hostPathVolumes, networkName, nodeFolder, podLogs, runFolder } from "./paths.ts";

/**
 * Ends every process of a node that is no longer supervised: programs started with our folders in their command line,
 * containerd's shims (they outlive it) and all that runs in the pods' control groups. Returns how many there were.
 */
export async function endProcesses(): Promise<number> {
  let ended = 0;
  // twice: a process may fork between the look and the kill
  for (let round = 0; round < 3; round++) {
    const left = processes().filter(isOurs);
    if (left.length === 0) break;
    ended += left.length;
    for (const { pid } of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // has ended by itself
      }
    }
    await sleep(100);
  }
  return ended;
}

interface Process {
  readonly pid: number;
  /** Arguments separated by spaces. */
  readonly command: string;
  readonly cgroups: string;
}

function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      command: readOrEmpty(`/proc/${name}/cmdline`).replaceAll("\0", " "),
      cgroups: readOrEmpty(`/proc/${name}/cgroup`),
    }));
}

function isOurs({ pid, command, cgroups }: Process): boolean {
  if (pid === process.pid) return false;
  if (cgroups.includes(`:${cgroupRoot}/`)) return true;
  if (command.startsWith("/usr/bin/containerd-shim") || /^\S*containerd-shim-/.test(command)) {
    return command.includes(containerdSocket);
  }
  return /^\S*\/(kubelet|kube-proxy|coredns|containerd) /.test(command) && command.includes(`${nodeFolder}/`);
}

/** Unmounts everything below our folders (and `also`), innermost first. */
export async function unmountAll(...also: readonly string[]): Promise<void> {
  const folders = [runFolder, nodeFolder, ...also];
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[4] ?? ""))
    .filter((point) => folders.some((folder) => point.startsWith(`${folder}/`)))
    .reverse();
  if (points.length > 0) await run("umount", ["--lazy", ...points]);
}

/** Removes our folders and the links to our pods' logs. Call when nothing is mounted below them. */
export function removeFolders(): void {
  for (const folder of [runFolder, nodeFolder, hostPathVolumes]) rmSync(folder, { recursive: true, force: true });
  const links = "/var/log/containers";
  for (const name of namesIn(links)) {
    if (linkTarget(join(links, name)).startsWith(`${podLogs}/`)) rmSync(join(links, name));
  }
  // what the CNI library remembers of each sandbox: the loopback plugin's file is found by the sandbox's id
  const results = "/var/lib/cni/results";
  const prefix = `${networkName}-`;
  const names = namesIn(results);
  const sandboxes = names.filter((name) => name.startsWith(prefix)).map((name) => name.split("-").at(-2) ?? "");
  for (const name of names.filter((name) => sandboxes.some((id) => name.includes(`-${id}-`))))
    rmSync(join(results, name));
  // a fixed place of the kubelet, outside of its root folder
  for (const name of ["kubelet.sock", "kubelet_internal_checkpoint"]) {
    rmSync(join("/var/lib/kubelet/device-plugins", name), { force: true });
  }
  for (const folder of ["/var/lib/kubelet/device-plugins", "/var/lib/kubelet", results, "/var/lib/cni", links])
    removeIfEmpty(folder);
}

/** The folders that stand for our control group: one with cgroup v2, one per controller with v1. */
export function cgroupFolders(): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const points = mounts.filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(" ")[4] ?? "");
  return points.map((point) => join(point, cgroupRoot));
}

/** Removes the control groups of all pods; those that still hold a process stay. */
export function removeCgroups(): void {
  for (const folder of cgroupFolders()) removeGroup(folder);
}

function removeGroup(folder: string): void {
  for (const name of foldersIn(folder)) removeGroup(join(folder, name));
  removeIfEmpty(folder);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // not there, or not empty
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** `/proc/self/mountinfo` writes spaces and the like as octal. */
function unescapeMount(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
