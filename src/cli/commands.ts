// The commands beside `run`, each loaded when it is called.
import { Command, CommanderError, type OutputConfiguration } from "commander";
import { defaultSettings } from "../../controllers/shared/settings.ts";
import { UserError } from "./errors.ts";

/** Runs the command that `args` name and gives its exit code. */
export async function runSubcommand(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram((code) => {
    exitCode = code;
  });
  const { registerLocal } = await import("./local.ts");
  registerLocal(program, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw new UserError(oneLine(error.message), 2);
  }
  return exitCode;
}

/** Commander prints its errors itself; here they are thrown and printed once. */
const quiet: OutputConfiguration = { outputError: () => {} };

/** All commands; `end` takes the exit code of the one that ran. */
function createProgram(end: (exitCode: number) => void): Command {
  const program = new Command("ray-operator")
    .description("The Kubernetes operator for Ray: runs RayClusters (ray.io/v1).")
    .version(defaultSettings().operatorVersion, "-V, --version", "print the version")
    .helpCommand("help [command]", "explain a command")
    .showSuggestionAfterError()
    .configureOutput(quiet)
    .exitOverride()
    .addHelpText(
      "after",
      `
Without a command, or when the first word is a flag, it is "run".

Examples:
  ray-operator --kubeconfig ~/.kube/config --enable-leader-election=false
  ray-operator crds | kubectl apply -f -
  ray-operator validate -f cluster.yaml
  ray-operator plan -f cluster.yaml
  ray-operator local up`,
    );
  program
    .command("run")
    .description('reconcile until stopped ("run --help" lists the flags)')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments();
  addCrds(program, end);
  addValidate(program, end);
  addRender(program, end);
  addPlan(program, end);
  program
    .command("version")
    .description("print the version")
    .action(() => {
      process.stdout.write(`${defaultSettings().operatorVersion}\n`);
    });
  return program;
}

function addCrds(program: Command, end: (exitCode: number) => void): void {
  program
    .command("crds")
    .description("print the CustomResourceDefinitions as YAML")
    .addHelpText("after", "\nExample:\n  ray-operator crds | kubectl apply -f -")
    .action(async () => {
      const { printCrds } = await import("./crds.ts");
      end(printCrds(process.stdout));
    });
}

function addValidate(program: Command, end: (exitCode: number) => void): void {
  withFiles(program.command("validate"))
    .description("check RayClusters against their schema and rules, without a cluster; exit code 1 if one is wrong")
    .option("--allow-unknown-fields", "let fields pass that the schema does not know")
    .addHelpText(
      "after",
      "\nExamples:\n  ray-operator validate -f cluster.yaml\n  kustomize build . | ray-operator validate -f -",
    )
    .action(async (options) => {
      const { validate } = await import("./validate.ts");
      end(validate(options, process.stdout));
    });
}

function addRender(program: Command, end: (exitCode: number) => void): void {
  withFiles(program.command("render"))
    .description("print the objects that a RayCluster makes, without a cluster")
    .option("-n, --namespace <name>", "for objects that name none", "default")
    .addHelpText("after", "\nExample:\n  ray-operator render -f cluster.yaml | less")
    .action(async (options) => {
      const { render } = await import("./render.ts");
      end(render(options, process.stdout));
    });
}

function addPlan(program: Command, end: (exitCode: number) => void): void {
  withFiles(program.command("plan"))
    .description("say what would be created, changed and deleted in the current cluster, and why; changes nothing")
    .option("-n, --namespace <name>", "for objects that name none (default: the context's)")
    .option("--kubeconfig <file>", "Kubernetes client configuration file")
    .option("--context <name>", "context of the configuration file")
    .addHelpText("after", "\nExample:\n  ray-operator plan -f cluster.yaml")
    .action(async (options) => {
      const { plan } = await import("./plan.ts");
      end(await plan(options, process.stdout));
    });
}

function withFiles(command: Command): Command {
  return command
    .requiredOption("-f, --filename <file>", "manifest, - for standard input; may be repeated", collect)
    .option("--feature-gates <gates>", "Name=true,Name=false, as the operator's flag");
}

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

function oneLine(message: string): string {
  return message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
}
