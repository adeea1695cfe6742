// Processes as Linux shows them in /proc: which are alive, since when, and how much memory they hold.

import { readFileSync } from "node:fs";

/** A process that cannot be mistaken for a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between the boot and the start of the process: field 22 of `/proc/PID/stat`. */
  readonly startTime: number;
}

/** The identity of a process, or undefined when it does not exist or has ended and only waits to be reaped. */
export function identify(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (!fields || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { pid, startTime: Number(fields[19]) };
}

/** Whether exactly this process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Resident memory in bytes, 0 when the process is gone. */
export function residentBytes(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Sends a signal to exactly this process (`group`: to its process group); nothing happens when it is gone. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals, group = false): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(group ? -identity.pid : identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Asks a process to end, and after `graceMs` ends it with its whole process group. */
export async function end(identity: ProcessIdentity, graceMs: number): Promise<void> {
  signal(identity, "SIGTERM");
  if (!(await gone(identity, graceMs))) {
    signal(identity, "SIGKILL", true);
    await gone(identity, 5_000);
  }
}

async function gone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** The fields after the name, which may itself hold spaces and brackets: state, parent, group, ... */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
