// Which command a command line means. The operator itself is loaded without the command-line library, so that it
// starts fast and stays small; every other command is loaded when it is called.
import { UserError } from "./errors.ts";

export interface Invocation {
  /** The file name under which the program was started: `/manager` is the operator in KubeRay's image. */
  readonly invokedAs: string;
  /** The words after the program's name. */
  readonly args: readonly string[];
}

/** Runs one command to its end and gives the process's exit code. */
export async function main({ invokedAs, args }: Invocation): Promise<number> {
  try {
    const operatorArguments = argumentsOfRun(invokedAs, args);
    if (operatorArguments) {
      const { runCommand } = await import("./run.ts");
      return await runCommand(operatorArguments);
    }
    const { runSubcommand } = await import("./commands.ts");
    return await runSubcommand(args);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`ray-operator: ${error.message}\n`);
    return error.exitCode;
  }
}

/**
 * The operator's own arguments, or undefined when another command is meant. Without a subcommand, and when the first
 * word is a flag, it is `run`, so that KubeRay's command lines work as they are.
 */
export function argumentsOfRun(invokedAs: string, args: readonly string[]): readonly string[] | undefined {
  if (invokedAs === "manager") return args;
  const [first] = args;
  if (first === undefined || first === "") return args;
  if (first === "run") return args.slice(1);
  const aboutProgram = ["-h", "--help", "-V", "--version"].includes(first);
  return first.startsWith("-") && !aboutProgram ? args : undefined;
}
