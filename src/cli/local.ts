// `ray-operator local`: Kubernetes on this machine.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { InstanceReport } from "../local/background.ts";
import type { Nodes } from "../local/instance.ts";
import { UserError } from "./errors.ts";

interface InstanceOptions {
  readonly name: string;
  readonly state?: string;
}

interface UpOptions extends InstanceOptions {
  readonly nodes?: Nodes;
  readonly simulatedNodes?: number;
  readonly fresh?: boolean;
  readonly foreground?: boolean;
}

interface RunOptions extends InstanceOptions {
  readonly nodes?: Nodes;
  readonly fresh?: boolean;
  readonly keep?: boolean;
}

/** Adds `local` and its commands; `end` takes the exit code of the one that ran. */
export function registerLocal(program: Command, end: (exitCode: number) => void): void {
  const local = program
    .command("local")
    .description("Kubernetes on this machine: for trying the operator, and for tests")
    .addHelpText(
      "after",
      `
A real etcd, API server, controller manager and scheduler, with simulated nodes (kwok) or, as root on a machine with
containerd, one real node. The programs are built once with Go and kept in the cache folder
(RAY_OPERATOR_CACHE, default ~/.cache/ray-operator), or taken from KUBEBUILDER_ASSETS.`,
    );
  addRun(local, end);
  addUp(local, end);
  addDown(local, end);
  addStatus(local, end);
  addPrograms(local, end);
}

function addRun(local: Command, end: (exitCode: number) => void): void {
  withInstance(local.command("run [operator-flags...]"))
    .description("start a cluster and the operator, show what becomes of Ray objects, and end both with Ctrl-C")
    .addOption(nodesOption())
    .option("--fresh", "start empty, even if an earlier run left its data")
    .option("--keep", "leave the data for the next run")
    .addHelpText(
      "after",
      `
Examples:
  ray-operator local run
  ray-operator local run --nodes simulated -- --zap-log-level=debug`,
    )
    .action(async (operatorFlags: string[], options: RunOptions) => {
      const { runLocal } = await import("../local/run.ts");
      const { name, nodes, fresh, keep } = options;
      const stateDir = folderOption(options);
      await failing(() => runLocal({ name, stateDir, nodes, fresh, keep, operator: thisProgram(), operatorFlags }));
      end(0);
    });
}

function addUp(local: Command, end: (exitCode: number) => void): void {
  withInstance(local.command("up"))
    .description("start a cluster without the operator, in the background, and return when it is ready")
    .addOption(nodesOption())
    .option("--simulated-nodes <count>", "how many (default: 20)", wholeNumber)
    .option("--fresh", "start empty, even if an earlier run left its data")
    .option("--foreground", "stay, and end the cluster with Ctrl-C")
    .addHelpText(
      "after",
      `
Examples:
  ray-operator local up && export KUBECONFIG=$(ray-operator local status -o kubeconfig)
  ray-operator local up --name second --nodes simulated`,
    )
    .action(async (options: UpOptions) => {
      await failing(() => (options.foreground ? stayUp(options) : goUp(options)));
      end(0);
    });
}

function addDown(local: Command, end: (exitCode: number) => void): void {
  withInstance(local.command("down"))
    .description("end a cluster, and whatever a killed one left behind")
    .option("--keep", "leave its data for the next start")
    .option("--all", "all clusters whose state is in the cache folder")
    .action(async (options: InstanceOptions & { keep?: boolean; all?: boolean }) => {
      const { listInstances, stopInstance } = await import("../local/background.ts");
      const folders = options.all ? listInstances().map((one) => one.folder) : [await folderOf(options)];
      for (const folder of folders) {
        const stopped = await failing(() => stopInstance(folder, options.keep ?? false));
        process.stdout.write(stopped ? `Ended the cluster in ${folder}.\n` : `No cluster runs in ${folder}.\n`);
      }
      end(0);
    });
}

function addStatus(local: Command, end: (exitCode: number) => void): void {
  withInstance(local.command("status"), "only this one")
    .description("show the clusters on this machine; exit code 1 if the one that was named is not ready")
    .addOption(
      new Option("-o, --output <format>", "what to print").choices(["table", "json", "kubeconfig"]).default("table"),
    )
    .action(async (options: Partial<InstanceOptions> & { output: "table" | "json" | "kubeconfig" }) => {
      const { listInstances } = await import("../local/background.ts");
      const wanted = options.name || options.state || options.output === "kubeconfig";
      const folder = wanted ? await folderOf({ name: options.name ?? "default", ...options }) : undefined;
      const all = listInstances(folder ? [folder] : []);
      const shown = folder ? all.filter((one) => one.folder === folder) : all;
      process.stdout.write(await formatted(shown, options.output, folder !== undefined));
      end(folder && !shown.some((one) => one.status === "ready") ? 1 : 0);
    });
}

function addPrograms(local: Command, end: (exitCode: number) => void): void {
  local
    .command("programs")
    .description("print a folder with etcd, kube-apiserver, kubectl, kwok, ... ; builds what is missing")
    .addHelpText("after", '\nExample:\n  PATH="$(ray-operator local programs):$PATH" kubectl version --client')
    .action(async () => {
      const { allPrograms, ensurePrograms } = await import("../local/programs.ts");
      const { progressOn } = await import("../local/progress.ts");
      const folder = await failing(() => ensurePrograms(allPrograms, progressOn(process.stderr)));
      process.stdout.write(`${folder}\n`);
      end(0);
    });
}

function withInstance(command: Command, about = "instances of different names run side by side"): Command {
  const name = new Option("--name <name>", about);
  return command
    .addOption(command.name() === "status" ? name : name.default("default"))
    .option("--state <folder>", "where the cluster keeps its data (default: in the cache folder, by name)");
}

function nodesOption(): Option {
  const text = "kind of nodes (default: real where this machine allows it, else simulated)";
  return new Option("--nodes <kind>", text).choices(["real", "simulated", "none"]);
}

/** Starts a detached process that runs `local up --foreground`, and waits until its cluster is ready. */
async function goUp(options: UpOptions): Promise<void> {
  const { startInBackground, report } = await import("../local/background.ts");
  const { chooseNodes } = await import("../local/instance.ts");
  const { Interrupt } = await import("../local/interrupt.ts");
  using interrupt = new Interrupt(() => process.stderr.write("Stopping ...\n"));
  const folder = await folderOf(options);
  const running = report(folder);
  if (running && running.status !== "ended") {
    throw new Error(`it runs already, as process ${running.state.owner?.pid}: see "local status"`);
  }
  const { nodes, reason } = await chooseNodes(options.nodes);
  if (reason) process.stderr.write(`${reason}\n`);
  const words = ["local", "up", "--foreground", `--name=${options.name}`, `--state=${folder}`, `--nodes=${nodes}`];
  if (options.fresh) words.push("--fresh");
  if (options.simulatedNodes !== undefined) words.push(`--simulated-nodes=${options.simulatedNodes}`);
  const tell = (text: string) => process.stderr.write(text);
  const state = await startInBackground(folder, [...thisProgram(), ...words], tell, interrupt.signal);
  process.stdout.write(`export KUBECONFIG=${state.kubeconfig}\n`);
}

/** Runs the cluster in this process until a signal comes or one of its programs fails. */
async function stayUp(options: UpOptions): Promise<void> {
  const { chooseNodes, startInstance } = await import("../local/instance.ts");
  const { Interrupt } = await import("../local/interrupt.ts");
  const { progressOn } = await import("../local/progress.ts");
  using interrupt = new Interrupt(() => process.stderr.write("Stopping ...\n"));
  const progress = progressOn(process.stderr);
  const { nodes, reason } = await chooseNodes(options.nodes);
  if (reason) progress.note(reason);
  const instance = await startInstance({
    nodes,
    name: options.name,
    stateDir: await folderOf(options),
    fresh: options.fresh ?? false,
    ...(options.simulatedNodes === undefined ? {} : { simulatedNodes: options.simulatedNodes }),
    progress,
    signal: interrupt.signal,
  });
  const failure = await Promise.race([
    interrupt.wait(),
    new Promise<Error>((tell) => instance.cluster.onFailure((failed) => tell(failed.failure()))),
  ]);
  // Whoever ends it says what becomes of the data: see stopInstance.
  await instance.stop({ keep: true });
  if (failure) throw failure;
}

async function formatted(
  shown: readonly InstanceReport[],
  output: "table" | "json" | "kubeconfig",
  detailed: boolean,
): Promise<string> {
  if (output === "json") return `${JSON.stringify(shown, null, 2)}\n`;
  if (output === "kubeconfig") return shown.map((one) => `${one.state.kubeconfig ?? ""}\n`).join("");
  if (shown.length === 0) return "No clusters.\n";
  const { columns } = await import("../local/table.ts");
  const rows = shown.map(({ state, status, processes }) => {
    const memory = processes.reduce((sum, one) => sum + one.residentBytes, 0);
    const { name, nodes, owner, url = "", kubeconfig = "" } = state;
    return [name, nodes, status, status === "ended" ? "-" : String(owner?.pid), megabytes(memory), url, kubeconfig];
  });
  const lines = columns([["NAME", "NODES", "STATUS", "PROCESS", "MEMORY", "API SERVER", "KUBECONFIG"], ...rows]);
  return `${[...lines, ...(detailed ? shown.flatMap((one) => details(one, columns)) : [])].join("\n")}\n`;
}

function details({ state, processes }: InstanceReport, columns: (rows: string[][]) => string[]): string[] {
  const programs = processes.map(({ name, pid, residentBytes }) => [name, String(pid), megabytes(residentBytes)]);
  const addresses = Object.entries(state.addresses ?? {}).map(([what, address]) => [what, address]);
  const ranges = state.ranges ? [`Pods ${state.ranges.pods}, services ${state.ranges.services}`] : [];
  return ["", ...columns([["PROGRAM", "PROCESS", "MEMORY"], ...programs]), "", ...ranges, ...columns(addresses)];
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

async function folderOf(options: { readonly name: string; readonly state?: string | undefined }): Promise<string> {
  const { instanceFolder } = await import("../local/paths.ts");
  return folderOption(options) ?? instanceFolder(options.name);
}

function folderOption({ state }: { readonly state?: string | undefined }): string | undefined {
  return state === undefined ? undefined : resolve(state);
}

/** How this process was started, to start itself again: Node, its flags, and the program. */
function thisProgram(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? ""];
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,4}$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

/** What goes wrong here is for the user to mend: a message, not a stack trace. */
async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError((error as Error).message);
  }
}
