// What is set for the whole operator and shapes objects and decisions: from the environment (objects.md 1.1,
// operator.md 5), the configuration file (objects.md 1.2), flags, and facts found out about the cluster once (1.3).
import { defaultFeatureGates, type FeatureGates } from "../../api/v1/feature-gates.ts";
import type { Container, EnvVar } from "../../api/v1/kubernetes.ts";
import packageJson from "../../package.json" with { type: "json" };

/** Everything operator-wide that builders and decisions read. Made once at start, never changed. */
export interface Settings {
  /** `CLUSTER_DOMAIN`: the DNS suffix in every head's full name. */
  readonly clusterDomain: string;
  /** `ENABLE_INIT_CONTAINER_INJECTION`: workers wait for the head in an init container. */
  readonly enableInitContainerInjection: boolean;
  /** `ENABLE_PROBES_INJECTION`: liveness and readiness probes for Ray containers without their own. */
  readonly enableProbesInjection: boolean;
  /** `ENABLE_RAY_HEAD_CLUSTER_IP_SERVICE`: the head service gets a cluster IP instead of being headless. */
  readonly enableRayHeadClusterIPService: boolean;
  /** `ENABLE_DETERMINISTIC_HEAD_POD_NAME`: the head pod's name has no random part. */
  readonly enableDeterministicHeadPodName: boolean;
  /** `ENABLE_LOGIN_SHELL`: generated commands run in a login shell. */
  readonly enableLoginShell: boolean;
  /** `ENABLE_GCS_FT_REDIS_CLEANUP`: Redis is cleaned when a fault-tolerant cluster is deleted. */
  readonly enableGcsFtRedisCleanup: boolean;
  /** `ENABLE_RANDOM_POD_DELETE`: with autoscaling on, the operator may choose which workers go. */
  readonly enableRandomPodDelete: boolean;
  /** `ENABLE_ZERO_DOWNTIME`: a RayService without an upgrade strategy prepares a second cluster on changes. */
  readonly enableZeroDowntime: boolean;
  /** `DELETE_RAYJOB_CR_AFTER_JOB_FINISHES`: a finished RayJob is deleted itself. */
  readonly deleteRayJobAfterJobFinishes: boolean;
  /** `USE_INGRESS_ON_OPENSHIFT`: an Ingress instead of a Route on OpenShift. */
  readonly useIngressOnOpenShift: boolean;
  /** `RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV`: seconds between looks at a RayCluster at rest; 0: none. */
  readonly requeueSeconds: number;
  /** `RAYJOB_DEPLOYMENT_STATUS_TRANSITION_GRACE_PERIOD_SECONDS`: seconds after a job's end until its status must follow. */
  readonly rayJobTransitionGraceSeconds: number;
  /** `RAYJOB_STATUS_CHECK_TIMEOUT_SECONDS`: seconds for which asking for a job's status may fail. */
  readonly rayJobStatusCheckTimeoutSeconds: number;
  readonly featureGates: FeatureGates;
  /** Containers appended to every head pod (configuration file). */
  readonly headSidecarContainers: readonly Container[];
  /** Containers appended to every worker pod (configuration file). */
  readonly workerSidecarContainers: readonly Container[];
  /** Variables for Ray containers that do not have them (configuration file). */
  readonly defaultContainerEnvs: readonly EnvVar[];
  /** Annotations for pods that do not have them (configuration file). */
  readonly defaultPodAnnotations: Readonly<Record<string, string>>;
  /** Labels for pods that do not have them (configuration file). */
  readonly defaultPodLabels: Readonly<Record<string, string>>;
  /** The cluster serves OpenShift's API groups. */
  readonly openShift: boolean;
  /** The cluster serves `cert-manager.io/v1`. */
  readonly certManager: boolean;
  /** Written into annotations and Ray's usage tags. */
  readonly operatorVersion: string;
}

/** The environment of a process: names and values. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings as they are with an empty environment and no configuration file; `overrides` replace single ones. */
export function defaultSettings(overrides: Partial<Settings> = {}): Settings {
  return {
    ...settingsFromEnvironment({}),
    featureGates: defaultFeatureGates,
    headSidecarContainers: [],
    workerSidecarContainers: [],
    defaultContainerEnvs: [],
    defaultPodAnnotations: {},
    defaultPodLabels: {},
    openShift: false,
    certManager: false,
    operatorVersion: packageJson.version,
    ...overrides,
  };
}

/** Those settings that come from environment variables. Never fails: a number that does not parse is the default. */
export function settingsFromEnvironment(environment: Environment): EnvironmentSettings {
  const on = (name: string) => onUnlessFalse(environment[name]);
  const off = (name: string) => offUnlessTrue(environment[name]);
  return {
    clusterDomain: environment.CLUSTER_DOMAIN || "cluster.local",
    enableInitContainerInjection: on("ENABLE_INIT_CONTAINER_INJECTION"),
    enableProbesInjection: on("ENABLE_PROBES_INJECTION"),
    enableRayHeadClusterIPService: off("ENABLE_RAY_HEAD_CLUSTER_IP_SERVICE"),
    enableDeterministicHeadPodName: off("ENABLE_DETERMINISTIC_HEAD_POD_NAME"),
    enableLoginShell: off("ENABLE_LOGIN_SHELL"),
    enableGcsFtRedisCleanup: on("ENABLE_GCS_FT_REDIS_CLEANUP"),
    enableRandomPodDelete: off("ENABLE_RANDOM_POD_DELETE"),
    enableZeroDowntime: on("ENABLE_ZERO_DOWNTIME"),
    deleteRayJobAfterJobFinishes: off("DELETE_RAYJOB_CR_AFTER_JOB_FINISHES"),
    useIngressOnOpenShift: off("USE_INGRESS_ON_OPENSHIFT"),
    requeueSeconds: Math.max(0, integer(environment.RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV, 300)),
    rayJobTransitionGraceSeconds: integer(environment.RAYJOB_DEPLOYMENT_STATUS_TRANSITION_GRACE_PERIOD_SECONDS, 300),
    rayJobStatusCheckTimeoutSeconds: positive(environment.RAYJOB_STATUS_CHECK_TIMEOUT_SECONDS, 300),
  };
}

/** The part of `Settings` that the environment decides. */
export type EnvironmentSettings = Pick<
  Settings,
  | "clusterDomain"
  | "enableInitContainerInjection"
  | "enableProbesInjection"
  | "enableRayHeadClusterIPService"
  | "enableDeterministicHeadPodName"
  | "enableLoginShell"
  | "enableGcsFtRedisCleanup"
  | "enableRandomPodDelete"
  | "enableZeroDowntime"
  | "deleteRayJobAfterJobFinishes"
  | "useIngressOnOpenShift"
  | "requeueSeconds"
  | "rayJobTransitionGraceSeconds"
  | "rayJobStatusCheckTimeoutSeconds"
>;

/** Only the word `false`, in any case, turns it off. */
function onUnlessFalse(value: string | undefined): boolean {
  return value?.toLowerCase() !== "false";
}

/** Only the word `true`, in any case, turns it on. */
function offUnlessTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === "true";
}

function integer(value: string | undefined, fallback: number): number {
  return value !== undefined && /^[+-]?\d+$/.test(value) ? Number(value) : fallback;
}

function positive(value: string | undefined, fallback: number): number {
  const number = integer(value, fallback);
  return number > 0 ? number : fallback;
}
