// Token authentication inside pods (objects.md section 14).
import type { Container, EnvVar, PodSpec } from "../../api/v1/kubernetes.ts";
import { AUTH_TOKEN_SECRET_KEY, EnvName, MountPath, VolumeName } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { addMissingEnv } from "./environment.ts";
import { authSecretName } from "./names.ts";
import { addMissingVolume, appendMount } from "./volumes.ts";

/** Ray's processes ask each other for a token. An empty mode does not count. */
export function isTokenAuthEnabled(cluster: RayCluster): boolean {
  return cluster.spec.authOptions?.mode === "token";
}

/** Kubernetes, not a shared secret, says whether a token is good. */
export function usesKubernetesTokens(cluster: RayCluster): boolean {
  return isTokenAuthEnabled(cluster) && cluster.spec.authOptions?.enableK8sTokenAuth === true;
}

/**
 * Whether the operator makes the Secret with the token. KubeRay also makes it for an empty mode, where no pod uses it.
 */
export function needsGeneratedSecret(cluster: RayCluster): boolean {
  const { authOptions } = cluster.spec;
  if (!authOptions || authOptions.mode === "disabled") return false;
  return authOptions.enableK8sTokenAuth !== true && !authOptions.secretName;
}

/** Lets a container show and check tokens. Does nothing when authentication is off. */
export function addTokenAuth(cluster: RayCluster, container: Container): void {
  if (!isTokenAuthEnabled(cluster)) return;
  addMissingEnv(container, tokenEnv(cluster));
  const mounted = container.volumeMounts?.some((mount) => mount.name === VolumeName.rayToken);
  if (usesKubernetesTokens(cluster) && !mounted) {
    appendMount(container, { name: VolumeName.rayToken, mountPath: MountPath.rayToken, readOnly: true });
  }
}

/** The volume behind `addTokenAuth`'s mounts. Does nothing unless Kubernetes' own tokens are used. */
export function addTokenVolume(cluster: RayCluster, spec: PodSpec): void {
  if (!usesKubernetesTokens(cluster)) return;
  addMissingVolume(spec, {
    name: VolumeName.rayToken,
    projected: { sources: [{ serviceAccountToken: { path: "token" } }] },
  });
}

function tokenEnv(cluster: RayCluster): EnvVar[] {
  const mode = { name: EnvName.RAY_AUTH_MODE, value: "token" };
  if (usesKubernetesTokens(cluster)) return [mode, { name: EnvName.RAY_ENABLE_K8S_TOKEN_AUTH, value: "true" }];
  const secretKeyRef = { name: authSecretName(cluster), key: AUTH_TOKEN_SECRET_KEY };
  return [mode, { name: EnvName.RAY_AUTH_TOKEN, valueFrom: { secretKeyRef } }];
}
