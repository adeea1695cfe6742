// One program of a local cluster: started detached from the terminal (Ctrl-C must reach only us), tied to our life by
// the kernel, its output in a log file.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { end, identify, type ProcessIdentity } from "./proc.ts";

/** What to start. */
export interface ProgramStart {
  /** The role, which names the log file: `kube-apiserver`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How `ray-local` starts it; `run` unless told. */
  readonly launch?: readonly string[];
}

/** Where programs of one instance find their launcher and write their logs. */
export interface ProcessHome {
  /** The program `ray-local`. */
  readonly launcher: string;
  readonly logFolder: string;
}

/** The cluster's addresses are never behind the machine's HTTP proxy. */
const noProxy = [
  process.env.NO_PROXY ?? process.env.no_proxy,
  "localhost,127.0.0.0/8,10.0.0.0/8,.svc,.cluster.local",
  ...Object.values(networkInterfaces()).flatMap((list) => list?.map((one) => one.address) ?? []),
]
  .filter((part) => part)
  .join(",");

/** A program that was started. */
export class ManagedProcess {
  readonly name: string;
  readonly identity: ProcessIdentity;
  readonly logFile: string;
  /** Resolves with the exit code or signal when the process has ended, wanted or not. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  #ended: string | undefined;
  #stopping = false;

  constructor(name: string, child: ChildProcess, identity: ProcessIdentity, logFile: string) {
    this.name = name;
    this.#child = child;
    this.identity = identity;
    this.logFile = logFile;
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#ended = code === null ? `signal ${signal}` : `exit code ${code}`;
        resolve(this.#ended);
      });
    });
  }

  /** How it ended, or undefined while it runs. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Whether it ended without having been asked to. */
  get failed(): boolean {
    return this.#ended !== undefined && !this.#stopping;
  }

  /** Asks it to end, and ends it by force after `graceMs`. */
  async stop(graceMs = 5_000): Promise<void> {
    this.#stopping = true;
    if (this.#ended !== undefined) return;
    // Its end is now something to stay for.
    this.#child.ref();
    await end(this.identity, graceMs);
    // Until Node has reaped it, its id is taken.
    await this.exited;
  }

  /** The error to raise when it ended unasked: how, and the end of its log. */
  failure(): Error {
    return new Error(`${this.name} ended with ${this.#ended}. The end of ${this.logFile}:\n${tail(this.logFile, 15)}`);
  }
}

/** Starts a program. Throws when it cannot be started at all; that it fails later shows in `exited`. */
export function startProcess(home: ProcessHome, start: ProgramStart): ManagedProcess {
  mkdirSync(home.logFolder, { recursive: true });
  const logFile = join(home.logFolder, `${start.name}.log`);
  const log = openSync(logFile, "w", 0o600);
  const [verb = "run", ...flags] = start.launch ?? [];
  const child = spawn(
    home.launcher,
    [verb, "--parent", String(process.pid), ...flags, "--", start.command, ...start.args],
    {
      cwd: start.cwd,
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, NO_PROXY: noProxy, no_proxy: noProxy, ...start.env },
    },
  );
  closeSync(log);
  // A test that has forgotten to stop its cluster ends all the same, and the cluster with it.
  child.unref();
  // With a pid the start has worked; without one the error event follows, and must not be thrown a second time.
  child.once("error", () => {});
  if (child.pid === undefined) throw new Error(`cannot start ${start.name}: ${home.launcher} cannot be run`);
  // One that has ended already has no identity, and nothing must be taken for it; its end is told by `exited`.
  const identity = identify(child.pid) ?? { pid: child.pid, startTime: -1 };
  return new ManagedProcess(start.name, child, identity, logFile);
}

/** The last lines of a file, each cut to a readable length. */
export function tail(path: string, lines: number): string {
  try {
    const text = readFileSync(path, "utf8").trimEnd().split("\n").slice(-lines);
    return text.map((line) => (line.length > 400 ? `${line.slice(0, 400)}…` : line)).join("\n");
  } catch {
    return "(no log)";
  }
}
