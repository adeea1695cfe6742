// Who has the real node of this machine. There can be one: its network, and its iptables rules, are the host's own.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Lock, tryLock } from "../lock.ts";
import { identify, isAlive, type ProcessIdentity } from "../proc.ts";
import { ownerFile, runFolder } from "./paths.ts";

/** `owner.json` */
interface Owner extends ProcessIdentity {
  /** The state folder of the owner's cluster. */
  readonly cluster: string;
  /** Set on the loopback interface. */
  readonly dns: string;
}

/**
 * Takes the machine's real node.
 *
 * @returns the lock, and what an owner that was killed had set
 * @throws Error that names the process and the cluster that has it
 */
export async function takeNode(): Promise<{ readonly lock: Lock; readonly previous: Owner | undefined }> {
  const lock = await tryLock("the real node of this machine");
  const previous = readOwner();
  if (lock) return { lock, previous };
  const holder =
    previous && isAlive(previous)
      ? `by process ${previous.pid} for the cluster in ${previous.cluster}`
      : "by another process";
  throw new Error(`this machine's real node is in use ${holder}; there can be only one`);
}

/** Writes down who has the node now. */
export function recordOwner(cluster: string, dns: string): void {
  const self = identify(process.pid);
  if (!self) throw new Error("cannot read /proc: a real node needs Linux");
  mkdirSync(runFolder, { recursive: true, mode: 0o711 });
  writeFileSync(ownerFile, JSON.stringify({ ...self, cluster, dns } satisfies Owner));
}

function readOwner(): Owner | undefined {
  try {
    return JSON.parse(readFileSync(ownerFile, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}
