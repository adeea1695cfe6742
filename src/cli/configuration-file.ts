// The file of `--config`: apiVersion config.ray.io/v1alpha1, kind Configuration (operator.md section 3).
import { parseDocument } from "yaml";
import type { Container, EnvVar } from "../../api/v1/kubernetes.ts";
import { UserError } from "./errors.ts";

/** The file's fields; what it does not set is absent. */
export interface ConfigurationFile {
  readonly metricsAddr?: string;
  readonly probeAddr?: string;
  readonly enableLeaderElection?: boolean;
  readonly leaderElectionNamespace?: string;
  readonly reconcileConcurrency?: number;
  readonly watchNamespace?: string;
  readonly qps?: number;
  readonly burst?: number;
  readonly logFile?: string;
  readonly logFileEncoder?: string;
  readonly logStdoutEncoder?: string;
  readonly batchScheduler?: string;
  readonly enableBatchScheduler?: boolean;
  readonly useKubernetesProxy?: boolean;
  readonly enableMetrics?: boolean;
  readonly deleteRayJobAfterJobFinishes?: boolean;
  readonly headSidecarContainers?: readonly Container[];
  readonly workerSidecarContainers?: readonly Container[];
  readonly defaultContainerEnvs?: readonly EnvVar[];
  readonly defaultPodAnnotations?: Readonly<Record<string, string>>;
  readonly defaultPodLabels?: Readonly<Record<string, string>>;
}

export interface ParsedConfiguration {
  readonly configuration: ConfigurationFile;
  /** Field names that mean nothing here: KubeRay ignores them in silence, we warn. */
  readonly unknownFields: readonly string[];
}

/** Gives what is wrong with a value as "expected ...", or undefined. */
type Check = (value: unknown) => string | undefined;

const is =
  (expected: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : `expected ${expected}, found ${describeValue(value)}`;

const text = is("a string", (value) => typeof value === "string");
const boolean = is("true or false", (value) => typeof value === "boolean");
const integer = is("a whole number", (value) => Number.isSafeInteger(value));
const number = is("a number", (value) => typeof value === "number" && Number.isFinite(value));

const fields: Readonly<Record<keyof ConfigurationFile, Check>> = {
  metricsAddr: text,
  probeAddr: text,
  enableLeaderElection: boolean,
  leaderElectionNamespace: text,
  reconcileConcurrency: integer,
  watchNamespace: text,
  qps: number,
  burst: integer,
  logFile: text,
  logFileEncoder: text,
  logStdoutEncoder: text,
  batchScheduler: text,
  enableBatchScheduler: boolean,
  useKubernetesProxy: boolean,
  enableMetrics: boolean,
  deleteRayJobAfterJobFinishes: boolean,
  headSidecarContainers: listOfNamed,
  workerSidecarContainers: listOfNamed,
  defaultContainerEnvs: listOfNamed,
  defaultPodAnnotations: mapOfStrings,
  defaultPodLabels: mapOfStrings,
};

/**
 * Reads a configuration file, YAML or JSON. `source` is its path, for messages.
 * Throws `UserError` naming the field for a value of the wrong type, and for text that is not YAML.
 */
export function parseConfigurationFile(content: string, source: string): ParsedConfiguration {
  const document = parseDocument(content);
  const [syntaxError] = document.errors;
  if (syntaxError) throw new UserError(`${source}: ${syntaxError.message.split("\n")[0]}`);
  const root: unknown = document.toJS() ?? {};
  if (!isObject(root)) throw new UserError(`${source}: expected a map of fields, found ${describeValue(root)}`);
  checkType(root, source);
  const given = Object.entries(root).filter(
    ([name, value]) => name !== "apiVersion" && name !== "kind" && name !== "metadata" && value !== null,
  );
  const known = given.filter(([name]) => isField(name));
  for (const [name, value] of known) {
    const wrong = isField(name) ? fields[name](value) : undefined;
    if (wrong !== undefined) throw new UserError(`${source}: ${name}${wrong.startsWith("[") ? "" : ": "}${wrong}`);
  }
  return {
    // Every value has just been checked against its field's type.
    configuration: Object.fromEntries(known) as ConfigurationFile,
    unknownFields: given.map(([name]) => name).filter((name) => !isField(name)),
  };
}

function isField(name: string): name is keyof ConfigurationFile {
  return Object.hasOwn(fields, name);
}

/** KubeRay's tests always set both; a file without them is read as what it must be. */
function checkType(root: Record<string, unknown>, source: string): void {
  const expected = { apiVersion: "config.ray.io/v1alpha1", kind: "Configuration" };
  for (const [field, value] of Object.entries(expected)) {
    const found = root[field] ?? value;
    if (found !== value) throw new UserError(`${source}: ${field}: expected ${value}, found ${describeValue(found)}`);
  }
}

/** Containers and variables: the API server checks them in full when a pod carries them. */
function listOfNamed(value: unknown): string | undefined {
  if (!Array.isArray(value)) return `expected a list, found ${describeValue(value)}`;
  const index = value.findIndex((item) => !isObject(item) || typeof item.name !== "string" || item.name === "");
  return index < 0 ? undefined : `[${index}].name: expected a string, found ${describeValue(value[index]?.name)}`;
}

function mapOfStrings(value: unknown): string | undefined {
  if (!isObject(value)) return `expected a map of strings, found ${describeValue(value)}`;
  const wrong = Object.entries(value).find(([, item]) => typeof item !== "string");
  return wrong && `[${JSON.stringify(wrong[0])}]: expected a string, found ${describeValue(wrong[1])}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? "a map" : JSON.stringify(value);
}
