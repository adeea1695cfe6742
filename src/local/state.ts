// What an instance remembers in its state folder: who runs it, which processes it started, which ports and address
// ranges it uses. Read at the next start (to end what a killed parent left) and by `local status` and `local down`.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { end, isAlive, type ProcessIdentity } from "./proc.ts";

/** A process of an instance, by its role (`etcd`, `kube-apiserver`, ...). */
export interface RecordedProcess extends ProcessIdentity {
  readonly name: string;
}

/** The ranges of addresses of an instance's pods and services, in CIDR notation. */
export interface AddressRanges {
  readonly pods: string;
  readonly services: string;
  /** The link on the host that leads to simulated pods; absent where there is none. */
  readonly interface?: string;
}

/** `state.json`. Whoever adds a field keeps old files readable: all but the first three may be absent. */
export interface InstanceState {
  readonly name: string;
  readonly nodes: "none" | "simulated" | "real";
  /** The process that owns the instance: all end with it. */
  readonly owner: ProcessIdentity;
  readonly processes: readonly RecordedProcess[];
  readonly startedAt?: string;
  readonly ready?: boolean;
  readonly apiPort?: number;
  readonly url?: string;
  readonly kubeconfig?: string;
  readonly ranges?: AddressRanges;
  /** Addresses worth showing, by name: operator metrics, health, ... */
  readonly addresses?: Readonly<Record<string, string>>;
}

const file = (folder: string): string => join(folder, "state.json");

/** The state of the instance in `folder`, or undefined when there is none or the file is unreadable. */
export function readState(folder: string): InstanceState | undefined {
  try {
    const state = JSON.parse(readFileSync(file(folder), "utf8")) as InstanceState;
    return state.owner && Array.isArray(state.processes) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the state in one step: a reader never sees half of it. */
export function writeState(folder: string, state: InstanceState): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${file(folder)}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file(folder));
}

/** Forgets the instance's processes; its data stays. */
export function removeState(folder: string): void {
  rmSync(file(folder), { force: true });
}

/** Whether the process that owns the instance still runs. */
export function isRunning(state: InstanceState | undefined): state is InstanceState {
  return state !== undefined && isAlive(state.owner);
}

/**
 * Ends the processes that an owner which is gone left behind, newest first, and returns their names. On Linux the
 * kernel has usually ended them already.
 */
export async function endLeftovers(state: InstanceState): Promise<string[]> {
  const left = state.processes.filter((one) => isAlive(one)).reverse();
  for (const one of left) await end(one, 5_000);
  return left.map((one) => one.name);
}
