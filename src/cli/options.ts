// What the operator was told, from all sources: flags that were given, then the configuration file, then defaults.
import { readFileSync } from "node:fs";
import { type FeatureGates, parseFeatureGates } from "../../api/v1/feature-gates.ts";
import { type Environment, type Settings, settingsFromEnvironment } from "../../controllers/shared/settings.ts";
import { type ConfigurationFile, type ParsedConfiguration, parseConfigurationFile } from "./configuration-file.ts";
import { UserError } from "./errors.ts";
import type { FlagName, OperatorCommandLine, OperatorFlags } from "./flags.ts";
import { parseWatchNamespaces } from "./watch-namespaces.ts";

export type LogEncoder = "json" | "console";
export type BatchScheduler = "volcano" | "yunikorn" | "scheduler-plugins" | "kai-scheduler";

/** The operator's configuration with nothing left open. Times are in milliseconds. */
export interface OperatorOptions {
  readonly kubeconfig: string | undefined;
  /** API requests per second; undefined: no limit, the API server's own fairness decides. */
  readonly qps: number | undefined;
  readonly burst: number | undefined;
  readonly useKubernetesProxy: boolean;
  /** Empty: all namespaces. */
  readonly watchNamespaces: readonly string[];
  readonly reconcileConcurrency: number;
  readonly leaderElection: {
    readonly enabled: boolean;
    readonly namespace: string | undefined;
    readonly leaseDurationMs: number;
    readonly renewDeadlineMs: number;
    readonly retryPeriodMs: number;
  };
  readonly shutdownTimeoutMs: number;
  /** `[host]:port`; undefined: off. */
  readonly metricsAddress: string | undefined;
  readonly probeAddress: string | undefined;
  readonly enableMetrics: boolean;
  readonly log: {
    readonly encoder: LogEncoder;
    readonly filePath: string | undefined;
    readonly fileEncoder: LogEncoder;
    readonly level: "debug" | "info" | "warn" | "error";
    readonly stackTraces: "info" | "warn" | "error" | "none";
    /** Identical lines are thinned out (never in development). */
    readonly sampling: boolean;
  };
  readonly batchScheduler: BatchScheduler | undefined;
  readonly featureGates: FeatureGates;
  /** The part of `Settings` that does not hang on the cluster. */
  readonly settings: Omit<Settings, "openShift" | "certManager" | "operatorVersion">;
}

export interface LoadedOptions {
  readonly options: OperatorOptions;
  /** What the user should know about the configuration, to be logged as warnings. */
  readonly warnings: readonly string[];
}

/** Reads everything. Throws `UserError` for a configuration that cannot be meant. */
export function loadOptions({ flags, ignored }: OperatorCommandLine, environment: Environment): LoadedOptions {
  const file = flags.config === undefined || flags.config === "" ? undefined : readConfiguration(flags.config);
  const warnings = [...ignoredWords(ignored), ...fileWarnings(flags, file), ...withoutEffect(flags)];
  return { options: mergeOptions(flags, file?.configuration ?? {}, environment), warnings };
}

function readConfiguration(path: string): ParsedConfiguration {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`cannot read the configuration file: ${error instanceof Error ? error.message : error}`);
  }
  return parseConfigurationFile(content, path);
}

/** Reconciles wait for the API server only, so many go on at once; each object still has one at a time. */
const defaultReconcileConcurrency = 32;

/** Flags over file over defaults. Pure but for the thrown `UserError`. */
export function mergeOptions(flags: OperatorFlags, file: ConfigurationFile, environment: Environment): OperatorOptions {
  const featureGates = readFeatureGates(flags["feature-gates"] ?? "");
  return {
    kubeconfig: flags.kubeconfig || undefined,
    ...requestBudget(flags.qps ?? file.qps, flags.burst ?? file.burst),
    useKubernetesProxy: flags["use-kubernetes-proxy"] ?? file.useKubernetesProxy ?? false,
    watchNamespaces: parseWatchNamespaces(flags["watch-namespace"] ?? file.watchNamespace ?? ""),
    reconcileConcurrency: concurrency(flags["reconcile-concurrency"] ?? file.reconcileConcurrency),
    leaderElection: leaderElection(flags, file),
    shutdownTimeoutMs: flags["shutdown-timeout"] ?? 30_000,
    metricsAddress: address(flags["metrics-addr"] ?? file.metricsAddr ?? ":8080", "metrics address"),
    probeAddress: address(flags["health-probe-bind-address"] ?? file.probeAddr ?? ":8082", "health probe address"),
    enableMetrics: flags["enable-metrics"] ?? file.enableMetrics ?? false,
    log: logOptions(flags, file),
    batchScheduler: batchScheduler(flags, file, featureGates),
    featureGates,
    settings: { ...settingsFromEnvironment(environment), ...settingsFromFile(file, environment), featureGates },
  };
}

function settingsFromFile(file: ConfigurationFile, environment: Environment) {
  return {
    ...deletionSwitch(file, environment),
    headSidecarContainers: file.headSidecarContainers ?? [],
    workerSidecarContainers: file.workerSidecarContainers ?? [],
    defaultContainerEnvs: file.defaultContainerEnvs ?? [],
    defaultPodAnnotations: file.defaultPodAnnotations ?? {},
    defaultPodLabels: file.defaultPodLabels ?? {},
  };
}

function readFeatureGates(text: string): FeatureGates {
  const parsed = parseFeatureGates(text);
  if ("error" in parsed) throw new UserError(`--feature-gates: ${parsed.error}`);
  return parsed.gates;
}

/** 0 means "not set" in both; a negative rate means no limit, as in KubeRay. */
function requestBudget(qps = 0, burst = 0): Pick<OperatorOptions, "qps" | "burst"> {
  if (burst < 0) throw new UserError(`burst must not be negative, found ${burst}`);
  if (qps <= 0) return { qps: undefined, burst: undefined };
  return { qps, burst: burst === 0 ? Math.ceil(qps * 2) : burst };
}

/** KubeRay takes 0 for 1, and negative numbers too; here 0 is the default and a negative number a mistake. */
function concurrency(given = 0): number {
  if (given < 0) throw new UserError(`reconcile concurrency must not be negative, found ${given}`);
  return given === 0 ? defaultReconcileConcurrency : given;
}

function leaderElection(flags: OperatorFlags, file: ConfigurationFile): OperatorOptions["leaderElection"] {
  const election = {
    enabled: flags["enable-leader-election"] ?? file.enableLeaderElection ?? true,
    namespace: (flags["leader-election-namespace"] ?? file.leaderElectionNamespace) || undefined,
    leaseDurationMs: flags["leader-election-lease-duration"] ?? 15_000,
    renewDeadlineMs: flags["leader-election-renew-deadline"] ?? 10_000,
    retryPeriodMs: flags["leader-election-retry-period"] ?? 2_000,
  };
  const ordered =
    election.leaseDurationMs >= 1_000 &&
    election.leaseDurationMs > election.renewDeadlineMs &&
    election.renewDeadlineMs > election.retryPeriodMs &&
    election.retryPeriodMs > 0;
  if (!ordered) {
    throw new UserError("leader election needs lease duration > renew deadline > retry period > 0, and a lease of 1s");
  }
  return election;
}

/** Go's listen addresses: `:8080`, `host:8080`, `[::1]:8080`; empty or `0` turns the server off. */
function address(text: string, what: string): string | undefined {
  if (text === "" || text === "0") return undefined;
  const port = /^(?:\[[^\]]*\]|[^:]*):([0-9]{1,5})$/.exec(text)?.[1];
  if (port === undefined || Number(port) > 65_535)
    throw new UserError(`${what} ${JSON.stringify(text)} is not host:port`);
  return text;
}

function logOptions(flags: OperatorFlags, file: ConfigurationFile): OperatorOptions["log"] {
  const development = flags["zap-devel"] ?? false;
  return {
    encoder: encoder(flags["log-stdout-encoder"] ?? file.logStdoutEncoder, "log stdout encoder"),
    filePath: (flags["log-file-path"] ?? file.logFile) || undefined,
    fileEncoder: encoder(flags["log-file-encoder"] ?? file.logFileEncoder, "log file encoder"),
    level: logLevel(flags["zap-log-level"] ?? (development ? "debug" : "info")),
    stackTraces: stackTraces(flags["zap-stacktrace-level"] ?? (development ? "warn" : "error")),
    sampling: !development,
  };
}

function encoder(text: string | undefined, what: string): LogEncoder {
  if (text === undefined || text === "") return "json";
  if (text !== "json" && text !== "console") throw new UserError(`${what} must be json or console, found "${text}"`);
  return text;
}

/** A number asks for more detail than info: everything we have is debug. Panic lines do not exist here: errors do. */
function logLevel(text: string): OperatorOptions["log"]["level"] {
  const level = text.toLowerCase();
  if (level === "info" || level === "warn") return level;
  return level === "error" || level === "panic" ? "error" : "debug";
}

function stackTraces(text: string): OperatorOptions["log"]["stackTraces"] {
  const level = text.toLowerCase();
  if (level === "info" || level === "warn") return level;
  return level === "panic" ? "none" : "error";
}

const batchSchedulers: readonly BatchScheduler[] = ["volcano", "yunikorn", "scheduler-plugins", "kai-scheduler"];

/** operator.md section 16.1: the deprecated switch selects Volcano, and only one way of choosing may be used. */
function batchScheduler(
  flags: OperatorFlags,
  file: ConfigurationFile,
  gates: FeatureGates,
): BatchScheduler | undefined {
  const name = (flags["batch-scheduler"] ?? file.batchScheduler) || undefined;
  const volcano = flags["enable-batch-scheduler"] ?? file.enableBatchScheduler ?? false;
  if (volcano && name !== undefined) {
    throw new UserError("both enable-batch-scheduler (deprecated) and batch-scheduler are set: keep the latter");
  }
  if (gates.KubernetesWAS && (volcano || name !== undefined)) {
    throw new UserError("the gate KubernetesWAS chooses a scheduler already: leave out batch-scheduler");
  }
  const known = batchSchedulers.find((scheduler) => scheduler === (volcano ? "volcano" : name));
  if (name !== undefined && known === undefined) {
    throw new UserError(`batch scheduler must be one of ${batchSchedulers.join(", ")}, found "${name}"`);
  }
  return known;
}

/** KubeRay reads this field and forgets it; the environment variable wins where both are set. */
function deletionSwitch(file: ConfigurationFile, environment: Environment): Partial<Settings> {
  const decided = environment.DELETE_RAYJOB_CR_AFTER_JOB_FINISHES !== undefined;
  if (decided || file.deleteRayJobAfterJobFinishes === undefined) return {};
  return { deleteRayJobAfterJobFinishes: file.deleteRayJobAfterJobFinishes };
}

function ignoredWords(ignored: readonly string[]): string[] {
  if (ignored.length === 0) return [];
  return [`ignored: everything from ${JSON.stringify(ignored[0])} on, because it is no flag (use --flag=value)`];
}

/** The flags that have a field in the file. */
const replacedBy: Readonly<Partial<Record<FlagName, keyof ConfigurationFile>>> = {
  "metrics-addr": "metricsAddr",
  "health-probe-bind-address": "probeAddr",
  "enable-leader-election": "enableLeaderElection",
  "leader-election-namespace": "leaderElectionNamespace",
  "reconcile-concurrency": "reconcileConcurrency",
  "watch-namespace": "watchNamespace",
  qps: "qps",
  burst: "burst",
  "log-file-path": "logFile",
  "log-file-encoder": "logFileEncoder",
  "log-stdout-encoder": "logStdoutEncoder",
  "batch-scheduler": "batchScheduler",
  "enable-batch-scheduler": "enableBatchScheduler",
  "use-kubernetes-proxy": "useKubernetesProxy",
  "enable-metrics": "enableMetrics",
};

function fileWarnings(flags: OperatorFlags, file: ParsedConfiguration | undefined): string[] {
  if (!file) return [];
  const unknown = file.unknownFields.map((field) => `unknown field ${field} in the configuration file`);
  if (flags["strict-config"] && unknown.length > 0) throw new UserError(unknown.join("; "));
  const conflicts = Object.entries(replacedBy).flatMap(([flag, field]) => {
    const given = flags[flag as FlagName];
    const written = field && file.configuration[field];
    const conflict = given !== undefined && written !== undefined && given !== written;
    return conflict ? [`--${flag} wins over ${field} of the configuration file`] : [];
  });
  return [...unknown, ...conflicts];
}

function withoutEffect(flags: OperatorFlags): string[] {
  const notes: readonly (readonly [FlagName, string])[] = [
    ["forced-cluster-upgrade", "has no effect, as in KubeRay"],
    ["zap-encoder", "has no effect, as in KubeRay: see --log-stdout-encoder"],
    ["zap-time-encoding", "has no effect, as in KubeRay: times are ISO 8601"],
  ];
  return notes
    .filter(([flag]) => flags[flag] !== undefined && flags[flag] !== false)
    .map(([flag, note]) => `--${flag} ${note}`);
}
