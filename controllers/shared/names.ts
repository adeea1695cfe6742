// The names of everything a RayCluster owns (objects.md section 3, raycluster-controller.md 5.3). Kubernetes restricts
// all of them to ASCII, so a length in characters is a length in bytes.
import type { RayCluster } from "../../api/v1/raycluster.ts";
import type { Settings } from "./settings.ts";

/** Gives the random end of a name: five characters of `SUFFIX_ALPHABET`. */
export type DrawSuffix = () => string;

/** No vowels and no look-alikes, so that no words arise: the alphabet of the API server's own name generator. */
export const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
export const SUFFIX_LENGTH = 5;

const MAX_NAME_LENGTH = 50;
const MAX_LABEL_LENGTH = 63;
/** What the API server keeps of a `generateName`. */
const MAX_GENERATED_NAME_PREFIX = MAX_LABEL_LENGTH - SUFFIX_LENGTH;

/** Makes a suffix source; `randomIndex(n)` gives an integer from 0 up to but not including `n`. */
export function suffixFrom(randomIndex: (bound: number) => number): DrawSuffix {
  return () =>
    Array.from({ length: SUFFIX_LENGTH }, () => SUFFIX_ALPHABET[randomIndex(SUFFIX_ALPHABET.length)]).join("");
}

/**
 * A complete pod name for a `generateName` prefix, made as the API server would make it. It is drawn before the create,
 * so that a create that timed out can be repeated under the same name. (Builders set `generateName` too: KubeRay's pods
 * have it.)
 */
function drawPodName(prefix: string, drawSuffix: DrawSuffix): string {
  return prefix.slice(0, MAX_GENERATED_NAME_PREFIX) + drawSuffix();
}

/**
 * The name for a new head pod: fixed by `ENABLE_DETERMINISTIC_HEAD_POD_NAME`, else by a `metadata.name` in the head's
 * template (KubeRay does not clear it), else drawn.
 */
export function drawHeadPodName(cluster: RayCluster, settings: Settings, drawSuffix: DrawSuffix): string {
  if (settings.enableDeterministicHeadPodName) return deterministicHeadPodName(cluster);
  return cluster.spec.headGroupSpec.template.metadata?.name || drawPodName(headPodPrefix(cluster), drawSuffix);
}

/** The name for a new worker pod; a name in the template is ignored, because all replicas share the template. */
export function drawWorkerPodName(cluster: RayCluster, groupName: string, drawSuffix: DrawSuffix): string {
  return drawPodName(workerPodPrefix(cluster, groupName), drawSuffix);
}

/** The label that the hosts of one multi-host replica share. */
export function drawReplicaName(groupName: string, drawSuffix: DrawSuffix): string {
  return `${groupName}-${drawSuffix()}`;
}

/** `generateName` of head pods. */
export function headPodPrefix(cluster: RayCluster): string {
  return `${deterministicHeadPodName(cluster)}-`;
}

/** `generateName` of the worker pods of a group. */
export function workerPodPrefix(cluster: RayCluster, groupName: string): string {
  return `${podName(`${cluster.metadata.name}-${groupName}`, "worker")}-`;
}

function deterministicHeadPodName(cluster: RayCluster): string {
  return podName(cluster.metadata.name, "head");
}

function podName(prefix: string, type: "head" | "worker"): string {
  return `${prefix.slice(0, MAX_NAME_LENGTH)}-${type}`.toLowerCase();
}

/** The head service of a RayCluster: the user's name for it, else `<cluster>-head-svc`. */
export function headServiceName(cluster: RayCluster): string {
  return cluster.spec.headGroupSpec.headService?.metadata?.name || `${cluster.metadata.name}-head-svc`;
}

/** The service for Serve traffic of a RayCluster or RayService. */
export function serveServiceName(owner: string): string {
  return `${owner}-serve-svc`;
}

/** The service under which the workers of multi-host groups find each other. */
export function headlessServiceName(cluster: RayCluster): string {
  return `${cluster.metadata.name}-headless`;
}

/** The full DNS name of the head service. */
export function headServiceHost(cluster: RayCluster, settings: Settings): string {
  return `${headServiceName(cluster)}.${cluster.metadata.namespace}.svc.${settings.clusterDomain}`;
}

/** The service account that the autoscaler, and so the head pod, runs under. */
export function autoscalerServiceAccountName(cluster: RayCluster): string {
  return checkName(cluster.spec.headGroupSpec.template.spec?.serviceAccountName || cluster.metadata.name);
}

/** Role and role binding of the autoscaler. */
export function autoscalerRoleName(cluster: RayCluster): string {
  return checkName(cluster.metadata.name);
}

/** The Secret with the authentication token: the user's, else the generated one. */
export function authSecretName(cluster: RayCluster): string {
  return cluster.spec.authOptions?.secretName || checkName(cluster.metadata.name);
}

/** The claim for the head's embedded storage: the user's, else the generated one. */
export function gcsClaimName(cluster: RayCluster): string {
  return cluster.spec.gcsFaultToleranceOptions?.storage?.claimName || `${cluster.metadata.name}-gcs-pvc`;
}

export function redisCleanupJobName(cluster: RayCluster): string {
  return checkLabel(`${cluster.metadata.name}-redis-cleanup`);
}

export function ingressName(cluster: RayCluster): string {
  return checkName(`${cluster.metadata.name}-head-ingress`);
}

export function routeName(cluster: RayCluster): string {
  return checkRouteName(`${cluster.metadata.name}-head-route`, cluster.metadata.namespace ?? "");
}

export function headNetworkPolicyName(cluster: RayCluster): string {
  return `${cluster.metadata.name}-head`;
}

export function workerNetworkPolicyName(cluster: RayCluster, groupName: string): string {
  return `${cluster.metadata.name}-workers-${groupName}`;
}

/** Value of `ray.io/identifier`. */
export function identifier(clusterName: string, type: "head" | "worker"): string {
  return checkLabel(`${clusterName}-${type}`);
}

/** KubeRay's rule for object names: at most the last 50 characters, and a letter in front (it replaces, never adds). */
export function checkName(name: string): string {
  return name.slice(-MAX_NAME_LENGTH).replace(/^\d/, "r").replace(LEADING_PUNCTUATION, "r");
}

/** KubeRay's rule for label values and Job names: at most the last 63 characters, no punctuation in front. */
export function checkLabel(value: string): string {
  return value.slice(-MAX_LABEL_LENGTH).replace(LEADING_PUNCTUATION, "r");
}

/**
 * KubeRay's rule for Routes: OpenShift makes one DNS label of `<route>-<namespace>`, so the namespace's length counts.
 * A namespace that leaves no room keeps one character (KubeRay crashes there).
 */
export function checkRouteName(name: string, namespace: string): string {
  return checkName(name.slice(0, Math.max(1, MAX_NAME_LENGTH + 1 - namespace.length)));
}

const LEADING_PUNCTUATION = /^\p{P}/u;
