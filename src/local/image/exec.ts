import { type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to the program's standard input; nothing is connected without it. */
  readonly input?: string;
  /** Called with each line of output as it comes. */
  readonly onLine?: (line: string) => void;
  /** Ends the program (SIGKILL) when aborted. */
  readonly signal?: AbortSignal;
}

/** How many lines of output an error repeats: enough for the cause, not the whole log. */
const tailLines = 15;

/**
 * Runs a program to its end and returns its standard output.
 *
 * @throws Error with the command, its exit code and the last lines it printed, also when it cannot be started.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const spawnOptions: SpawnOptions = {
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: "SIGKILL" as const }),
  };
  const child = spawn(command, args, spawnOptions);
  const output: string[] = [];
  const tail: string[] = [];
  const collect = (line: string) => {
    tail.push(line);
    if (tail.length > tailLines) tail.shift();
    options.onLine?.(line);
  };
  if (child.stdout) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      output.push(line);
      collect(line);
    });
  }
  if (child.stderr) createInterface({ input: child.stderr }).on("line", collect);
  child.stdin?.on("error", () => undefined); // a program that ends early closes its input: its exit code says why
  child.stdin?.end(options.input);

  const shown = [command, ...args].join(" ");
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(`cannot run ${shown}: ${cause.message}`, { cause })));
    child.once("close", (exitCode, signalName) => resolve(exitCode ?? signalName ?? "unknown"));
  });
  if (code !== 0) throw new Error(`${shown}: exit ${code}\n${tail.map((line) => `  ${line}`).join("\n")}`);
  return output.join("\n");
}

/** Like {@link run}, for commands whose failure is expected and means "was not there". */
export async function tryRun(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}
