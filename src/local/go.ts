// Builds one program with Go, and says how far it is.

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import type { ProgramModule } from "./program-modules.ts";
import { formatElapsed, type Progress, type Task } from "./progress.ts";

/**
 * Builds the module in `sources` to the file `target`, which appears only when it is complete.
 *
 * @throws Error that says what to do when Go is missing or too old, or with the end of Go's output.
 */
export async function buildProgram(
  module: ProgramModule,
  sources: string,
  target: string,
  progress: Progress,
): Promise<void> {
  const what = module.names.length > 1 ? `${module.folder} (${module.names.join(", ")})` : module.folder;
  await requireGo(sources, what);
  const started = performance.now();
  const task = progress.task(`Building ${module.folder} with Go, needed once`);
  const temporary = `${target}.${process.pid}`;
  // A build that was killed may have left something; whoever builds holds the lock.
  rmSync(dirname(target), { recursive: true, force: true });
  mkdirSync(dirname(target), { recursive: true });
  try {
    const total = await countPackages(module, sources, task);
    const args = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-v", "-ldflags", module.ldflags];
    let compiled = 0;
    await go([...args, "-o", temporary, module.package], sources, (line) => {
      if (/^[\w.-]+(\/[\w.~@-]+)*$/.test(line)) task.update(`${++compiled} of at most ${total} packages compiled`);
    });
    chmodSync(temporary, 0o755);
    renameSync(temporary, target);
  } catch (error) {
    task.failed();
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  task.done(`Built ${what} in ${formatElapsed(performance.now() - started)}.`);
}

/** Asks Go for its version in the module's folder, where it also checks (or fetches) the version that go.mod wants. */
async function requireGo(sources: string, what: string): Promise<void> {
  const advice =
    "Install Go 1.24 or newer (https://go.dev/doc/install), or set KUBEBUILDER_ASSETS to a folder that holds the programs.";
  try {
    await go(["env", "GOVERSION"], sources, () => {});
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const why = missing ? "the command `go` was not found" : (error as Error).message;
    throw new Error(`Go is needed to build ${what}, but ${why}.\n${advice}`);
  }
}

/** Downloads the modules and returns how many packages there are to compile, if none is in Go's own cache. */
async function countPackages(module: ProgramModule, sources: string, task: Task): Promise<number> {
  let downloaded = 0;
  let packages = 0;
  await go(["list", "-mod=readonly", "-deps", module.package], sources, (line) => {
    if (line.startsWith("go: downloading ")) task.update(`${++downloaded} modules downloaded`);
    else packages++;
  });
  return packages;
}

/** Runs Go and hands every line of its output to `onLine`. Rejects with the last lines when it fails. */
function go(args: readonly string[], cwd: string, onLine: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", args, {
      cwd,
      // Pure Go: no C compiler is needed, and the programs run in every container.
      env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const tail: string[] = [];
    const take = (line: string) => {
      onLine(line);
      tail.push(line);
      if (tail.length > 12) tail.shift();
    };
    createInterface({ input: child.stdout }).on("line", take);
    createInterface({ input: child.stderr }).on("line", take);
    child.once("error", reject);
    child.once("close", (code, signalName) => {
      if (code === 0) return resolve();
      reject(new Error(`\`go ${args[0]}\` ended with ${code ?? signalName}:\n${tail.join("\n")}`));
    });
  });
}
