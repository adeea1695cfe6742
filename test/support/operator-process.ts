// The operator as users run it: a process of its own, started from the one-file bundle, watched by its log, ended by
// signals.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.ts";

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly logger?: string;
  readonly [field: string]: unknown;
}

/** How a process ended: one of both is set. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface OperatorOptions {
  readonly kubeconfig?: string;
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The program `ray-local`: with it the kernel ends the operator together with this process, however that ends. */
  readonly launcher?: string;
}

const root = new URL("../..", import.meta.url).pathname;
let bundled: string | undefined;

/** Path of a bundle of the sources as they are now, made once a test run and removed at its end. */
export function operatorBundle(): string {
  if (bundled !== undefined) return bundled;
  const folder = mkdtempSync(join(tmpdir(), "ray-operator-bundle-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "ray-operator.mjs");
  execFileSync(process.execPath, ["tools/bundle.ts", file], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  bundled = file;
  return file;
}

/** Starts `ray-operator run`, with its servers and leader election off unless the flags say otherwise. */
export function startOperator(options: OperatorOptions = {}): OperatorProcess {
  const { kubeconfig, flags = [], env = {}, launcher } = options;
  const command = [
    ...(launcher === undefined ? [] : [launcher, "run", "--parent", String(process.pid), "--"]),
    ...[process.execPath, "--enable-source-maps", operatorBundle(), "run"],
    ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
    ...defaultFlags.filter((flag) => !flags.some((given) => nameOf(given) === nameOf(flag))),
    ...flags,
  ];
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KUBECONFIG: undefined, ...env },
  });
  return new OperatorProcess(child);
}

const defaultFlags = ["--metrics-addr=0", "--health-probe-bind-address=0", "--enable-leader-election=false"];

function nameOf(flag: string): string {
  return flag.replace(/^--?/, "").split("=")[0] ?? "";
}

export class OperatorProcess {
  readonly startedAt = performance.now();
  /** Everything it wrote to its log, oldest first. */
  readonly lines: LogLine[] = [];
  /** Everything it wrote to standard output. */
  output = "";
  readonly exited: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  #end: ProcessEnd | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (chunk) => {
      this.output += chunk;
    });
    if (child.stderr) createInterface(child.stderr).on("line", (line) => this.lines.push(parse(line)));
    this.exited = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        this.#end = { code, signal };
        resolve(this.#end);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended; undefined while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  has(msg: string): boolean {
    return this.lines.some((line) => line.msg === msg);
  }

  /** Lines that tell of an error in the program itself. */
  get panics(): LogLine[] {
    return this.lines.filter((line) => line.msg === "reconcile threw" || line.msg.includes("nobody expected"));
  }

  /** Resolves when its caches are complete and its controllers work. */
  async working(withinMs = 20_000): Promise<this> {
    const check = () => {
      if (!this.has("caches are complete")) throw new Error(`the operator does not work; its log:\n${this.tail()}`);
    };
    await Promise.race([eventually(check, { withinMs, everyMs: 10 }), this.exited]);
    check();
    return this;
  }

  /** Sends a signal, such as SIGSTOP. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** kill -9, and its end. */
  kill(): Promise<ProcessEnd> {
    this.#child.kill("SIGKILL");
    return this.exited;
  }

  /** SIGTERM, its end, and the milliseconds between. */
  async stop(): Promise<ProcessEnd & { readonly tookMs: number }> {
    const startedAt = performance.now();
    this.#child.kill("SIGTERM");
    const end = await this.exited;
    return { ...end, tookMs: performance.now() - startedAt };
  }

  /** The end of the log, for messages. */
  tail(count = 15): string {
    return this.lines
      .slice(-count)
      .map((line) => JSON.stringify(line))
      .join("\n");
  }
}

function parse(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { level: "none", msg: line };
  }
}
