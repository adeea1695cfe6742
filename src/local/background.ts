// Instances that run in the background (`local up`), and what can be told about all of them.

import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { instanceFolder } from "./paths.ts";
import { end, isAlive, residentBytes } from "./proc.ts";
import { tail } from "./process.ts";
import { endLeftovers, type InstanceState, isRunning, readState, recordEnd } from "./state.ts";
import { until } from "./wait.ts";

/** An instance as `local status` shows it. */
export interface InstanceReport {
  readonly folder: string;
  readonly state: InstanceState;
  readonly status: "ready" | "starting" | "ended";
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly residentBytes: number }[];
}

/** Longest start: images and programs may have to be built. */
const START_MS = 30 * 60_000;
/** A real node takes its time. */
const STOP_MS = 60_000;

/**
 * Starts a command line (Node, its flags, the program and its words) that owns the instance, detached from this
 * terminal, and returns its state when the instance is ready. What it says meanwhile is handed to `onOutput`. When
 * `signal` is aborted, it is told to end.
 *
 * @throws Error with the end of its output when it ends instead.
 */
export async function startInBackground(
  folder: string,
  command: readonly string[],
  onOutput: (text: string) => void,
  signal: AbortSignal,
): Promise<InstanceState> {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  // Beside the folder, which the instance may empty.
  const log = `${folder}.log`;
  const descriptor = openSync(log, "w", 0o600);
  const [program = process.execPath, ...args] = command;
  const child = spawn(program, args, { detached: true, stdio: ["ignore", descriptor, descriptor] });
  closeSync(descriptor);
  let ended: string | undefined;
  child.once("exit", (code, signal) => {
    ended = String(signal ?? code);
  });
  child.once("error", (error) => {
    ended = error.message;
  });
  let told = 0;
  let state: InstanceState | undefined;
  await until(
    "the instance",
    START_MS,
    async () => {
      told += await tell(log, told, onOutput);
      state = readState(folder);
      return ended !== undefined || (isRunning(state) && state.owner.pid === child.pid && state.ready === true);
    },
    () => {
      if (!signal.aborted) return;
      child.kill("SIGTERM");
      signal.throwIfAborted();
    },
    100,
  );
  child.unref();
  if (ended !== undefined || !state) throw new Error(`the instance did not start (${ended}):\n${tail(log, 20)}`);
  return state;
}

/** Ends an instance and what a killed one left; says whether there was something to end. */
export async function stopInstance(folder: string, keep: boolean): Promise<boolean> {
  const state = readState(folder);
  if (!state) {
    if (!keep) rmSync(folder, { recursive: true, force: true });
    return false;
  }
  const running = isRunning(state);
  if (running) await end(state.owner, STOP_MS);
  const left = await endLeftovers(state);
  if (state.nodes === "real") await cleanUpNode();
  recordEnd(folder);
  if (!keep) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    rmSync(`${folder}.log`, { force: true });
  }
  return running || left.length > 0;
}

/** The instances whose state folders lie in the cache, and those in `more`. */
export function listInstances(more: readonly string[] = []): InstanceReport[] {
  const parent = dirname(instanceFolder("x"));
  const names = existsSync(parent) ? readdirSync(parent).sort() : [];
  const folders = names.map((name) => join(parent, name)).filter((path) => statSync(path).isDirectory());
  return [...new Set([...folders, ...more])].flatMap((folder) => report(folder) ?? []);
}

/** What is known about one instance; undefined when its folder holds no state. */
export function report(folder: string): InstanceReport | undefined {
  const state = readState(folder);
  if (!state) return undefined;
  const status = !isRunning(state) ? "ended" : state.ready ? "ready" : "starting";
  const alive = state.processes.filter((one) => isAlive(one));
  const processes = alive.map(({ name, pid }) => ({ name, pid, residentBytes: residentBytes(pid) }));
  return { folder, state, status, processes };
}

async function tell(log: string, from: number, onOutput: (text: string) => void): Promise<number> {
  const text = (await readFile(log, "utf8")).slice(from);
  if (text) onOutput(text);
  return text.length;
}

async function cleanUpNode(): Promise<void> {
  const { cleanUpRealNode } = await import("./real/index.ts");
  // Another instance may have the node by now; then there is nothing of ours left.
  await cleanUpRealNode().catch(() => {});
}
