// What an instance remembers in its state folder: who runs it, which processes it started, which ports and address
// ranges it uses. Read at the next start (to end what a killed parent left) and by `local status` and `local down`.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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

/** `state.json`. Whoever adds a field keeps old files readable: it may be absent. */
export interface InstanceState {
  readonly name: string;
  readonly nodes: "none" | "simulated" | "real";
  /** The process that owns the instance: all end with it. Absent once it has ended in order. */
  readonly owner?: ProcessIdentity;
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

/** The state of an instance whose owner has not ended in order. */
export type RunningState = InstanceState & { readonly owner: ProcessIdentity };

const file = (folder: string): string => join(folder, "state.json");

/** The state of the instance in `folder`, or undefined when there is none or the file is unreadable. */
export function readState(folder: string): InstanceState | undefined {
  try {
    const state = JSON.parse(readFileSync(file(folder), "utf8")) as InstanceState;
    return Array.isArray(state.processes) ? state : undefined;
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

/** Writes down that nothing runs any more. Ports and ranges stay known, for a next start with the same data. */
export function recordEnd(folder: string): void {
  const state = readState(folder);
  if (!state) return;
  const { owner: _, ...rest } = state;
  writeState(folder, { ...rest, processes: [], ready: false });
}

/** Whether the process that owns the instance still runs. */
export function isRunning(state: InstanceState | undefined): state is RunningState {
  return state?.owner !== undefined && isAlive(state.owner);
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
