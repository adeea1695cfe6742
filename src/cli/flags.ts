// The operator's flags: KubeRay's (operator.md section 2) and the few of our own, marked as such in their usage.
import { type FlagDefinition, parseGoFlags } from "./go-flags.ts";

/** Flags that were given, under their own names; what was not given is absent. Durations are in milliseconds. */
export interface OperatorFlags {
  readonly "metrics-addr"?: string;
  readonly "health-probe-bind-address"?: string;
  readonly "enable-leader-election"?: boolean;
  readonly "leader-election-namespace"?: string;
  readonly "leader-election-lease-duration"?: number;
  readonly "leader-election-renew-deadline"?: number;
  readonly "leader-election-retry-period"?: number;
  readonly "reconcile-concurrency"?: number;
  readonly "watch-namespace"?: string;
  readonly "forced-cluster-upgrade"?: boolean;
  readonly "log-file-path"?: string;
  readonly "log-file-encoder"?: string;
  readonly "log-stdout-encoder"?: string;
  readonly "enable-batch-scheduler"?: boolean;
  readonly "batch-scheduler"?: string;
  readonly config?: string;
  readonly "strict-config"?: boolean;
  readonly "use-kubernetes-proxy"?: boolean;
  readonly "feature-gates"?: string;
  readonly "enable-metrics"?: boolean;
  readonly qps?: number;
  readonly burst?: number;
  readonly kubeconfig?: string;
  readonly "shutdown-timeout"?: number;
  readonly "zap-devel"?: boolean;
  readonly "zap-encoder"?: string;
  readonly "zap-log-level"?: string;
  readonly "zap-stacktrace-level"?: string;
  readonly "zap-time-encoding"?: string;
}

export type FlagName = keyof OperatorFlags;

const oneOf =
  (...allowed: readonly string[]) =>
  (text: string): string | undefined =>
    allowed.includes(text.toLowerCase()) ? undefined : `must be one of ${allowed.join(", ")}`;

const logLevel = (text: string): string | undefined =>
  /^[1-9][0-9]*$/.test(text) ? undefined : oneOf("debug", "info", "warn", "error", "panic")(text);

/** All flags in the order of `--help`. */
export const flagDefinitions: readonly (FlagDefinition & { readonly name: FlagName })[] = [
  {
    name: "kubeconfig",
    type: "string",
    usage: "Kubernetes client configuration file; else KUBECONFIG, the pod's service account, ~/.kube/config",
  },
  { name: "config", type: "string", usage: "configuration file; flags that are given as well win over it" },
  { name: "strict-config", type: "bool", usage: "refuse unknown fields in the configuration file (not in KubeRay)" },
  { name: "watch-namespace", type: "string", usage: "comma-separated namespaces to watch", defaultText: "all" },
  { name: "reconcile-concurrency", type: "int", usage: "objects of one kind in work at once", defaultText: "32" },
  { name: "feature-gates", type: "string", usage: "Name=true,Name=false; AllAlpha and AllBeta set a whole stage" },
  { name: "qps", type: "float", usage: "API requests per second", defaultText: "no limit" },
  { name: "burst", type: "int", usage: "API requests that may exceed --qps for a moment", defaultText: "twice --qps" },
  { name: "use-kubernetes-proxy", type: "bool", usage: "reach Ray through the API server's proxy" },
  { name: "enable-leader-election", type: "bool", usage: "only the holder of the lease works", defaultText: "true" },
  { name: "leader-election-namespace", type: "string", usage: "namespace of the lease", defaultText: "the pod's own" },
  {
    name: "leader-election-lease-duration",
    type: "duration",
    usage: "how long a lease holds without renewal (not in KubeRay)",
    defaultText: "15s",
  },
  {
    name: "leader-election-renew-deadline",
    type: "duration",
    usage: "when a leader that cannot renew stops its work (not in KubeRay)",
    defaultText: "10s",
  },
  {
    name: "leader-election-retry-period",
    type: "duration",
    usage: "time between two tries for the lease (not in KubeRay)",
    defaultText: "2s",
  },
  {
    name: "shutdown-timeout",
    type: "duration",
    usage: "how long running reconciles may take to end (not in KubeRay)",
    defaultText: "30s",
  },
  { name: "metrics-addr", type: "string", usage: "address of /metrics; 0 turns it off", defaultText: ":8080" },
  {
    name: "health-probe-bind-address",
    type: "string",
    usage: "address of /healthz and /readyz; empty or 0 turns it off",
    defaultText: ":8082",
  },
  { name: "enable-metrics", type: "bool", usage: "metrics about each Ray object" },
  { name: "log-stdout-encoder", type: "string", usage: "json or console, for standard error", defaultText: "json" },
  { name: "log-file-path", type: "string", usage: "write the log to this file as well" },
  { name: "log-file-encoder", type: "string", usage: "json or console, for the file", defaultText: "json" },
  {
    name: "zap-log-level",
    type: "string",
    usage: "debug, info, warn, error, panic, or a number above 0 for more detail",
    defaultText: "info",
    check: logLevel,
  },
  { name: "zap-devel", type: "bool", usage: "log at debug level" },
  {
    name: "zap-stacktrace-level",
    type: "string",
    usage: "info, error or panic: lines of this level carry a stack trace",
    defaultText: "error",
    check: oneOf("info", "error", "panic"),
  },
  {
    name: "zap-encoder",
    type: "string",
    usage: "without effect, as in KubeRay: see --log-stdout-encoder",
    check: oneOf("json", "console"),
  },
  {
    name: "zap-time-encoding",
    type: "string",
    usage: "without effect, as in KubeRay: times are ISO 8601",
    check: oneOf("epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano"),
  },
  {
    name: "batch-scheduler",
    type: "string",
    usage: "volcano, yunikorn, scheduler-plugins or kai-scheduler",
  },
  { name: "enable-batch-scheduler", type: "bool", usage: "deprecated: --batch-scheduler=volcano" },
  { name: "forced-cluster-upgrade", type: "bool", usage: "deprecated, without effect" },
];

/** The flags of a command line, and the words after them, which are ignored (KubeRay ignores them in silence). */
export interface OperatorCommandLine {
  readonly flags: OperatorFlags;
  readonly ignored: readonly string[];
}

/** Reads the operator's command line. Throws `FlagError` for what Go's parser refuses. */
export function parseOperatorFlags(args: readonly string[]): OperatorCommandLine {
  const { values, rest } = parseGoFlags(flagDefinitions, args);
  // The parser gives each value in the type that the table names, and OperatorFlags repeats that table.
  // Helm's chart appends an empty argument when its list of gates is empty: nothing worth a warning.
  return { flags: Object.fromEntries(values) as OperatorFlags, ignored: rest.filter((word) => word !== "") };
}

/** The part of `--help` that lists the flags, one a line. */
export function describeFlags(): string {
  const width = Math.max(...flagDefinitions.map(({ name, type }) => name.length + typeLabel(type).length));
  return flagDefinitions
    .map(({ name, type, usage, defaultText }) => {
      const left = `--${name}${typeLabel(type)}`.padEnd(width + 4);
      return `  ${left}${usage}${defaultText === undefined ? "" : ` (default: ${defaultText})`}`;
    })
    .join("\n");
}

function typeLabel(type: FlagDefinition["type"]): string {
  return type === "bool" ? "" : ` ${type}`;
}
