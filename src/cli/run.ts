// `ray-operator run`: the operator as a process, from its command line to its exit code. The order of the steps is
// KubeRay's (operator.md section 1), because it decides which mistake is reported first.

import { createLogger, type ProcessLogger } from "../observability/logger.ts";
import { comingFeatures } from "./coming-features.ts";
import { UserError } from "./errors.ts";
import { describeFlags, parseOperatorFlags } from "./flags.ts";
import { FlagError, HelpRequested } from "./go-flags.ts";
import { runOperator } from "./operator.ts";
import { type LoadedOptions, loadOptions } from "./options.ts";

/** Runs until SIGTERM or SIGINT. 0 after a graceful stop, 1 for what stops the start, 2 for a wrong command line. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const loaded = load(args);
  if (loaded === undefined) return 0;
  const { options, warnings } = loaded;
  const log = openLog(options.log);
  const setup = log.child("setup");
  // What nobody caught is a bug, and the state of the process unknown: a new one starts from the cluster's state.
  process.on("uncaughtException", (error) => {
    setup.error("the operator ends because of an error nobody expected", { error });
    process.exit(1);
  });
  for (const warning of [...warnings, ...comingFeatures(options, process.env)]) setup.warn(warning);
  try {
    await runOperator(options, log, stopSignal(log));
    setup.info("stopped");
    return 0;
  } catch (error) {
    if (error instanceof UserError) setup.error(error.message);
    else setup.error("the operator ends because of an error nobody expected", { error });
    return 1;
  } finally {
    await log.close();
  }
}

/** The configuration, or undefined when only help was asked for. */
function load(args: readonly string[]): LoadedOptions | undefined {
  try {
    return loadOptions(parseOperatorFlags(args), process.env);
  } catch (error) {
    if (error instanceof HelpRequested) {
      process.stdout.write(help());
      return undefined;
    }
    if (error instanceof FlagError) throw new UserError(`${error.message}; see "ray-operator run --help"`, 2);
    throw error;
  }
}

function openLog(options: LoadedOptions["options"]["log"]): ProcessLogger {
  try {
    return createLogger(options);
  } catch (error) {
    throw new UserError(`cannot open the log file: ${error instanceof Error ? error.message : error}`);
  }
}

/** Aborted by the first SIGTERM or SIGINT; the second one ends the process at once. */
function stopSignal(log: ProcessLogger): AbortSignal {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(1);
    log
      .child("setup")
      .info("stopping: running reconciles end first; the same signal again stops at once", { signal: name });
    stop.abort();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, onSignal);
  return stop.signal;
}

function help(): string {
  return `Usage: ray-operator [run] [flags]

Reconciles RayClusters until it is stopped. Flags take one or two dashes, and their value after "=" or as the next
word; a boolean takes a value only after "=".

Flags:
${describeFlags()}

Examples:
  ray-operator --kubeconfig ~/.kube/config --enable-leader-election=false
  ray-operator --watch-namespace=team-a,team-b --enable-metrics
  ray-operator --config /etc/kuberay/config.yaml --feature-gates=RayMultiHostIndexing=false
`;
}
