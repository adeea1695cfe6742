// A head whose state outlives it, in Redis or on a volume of its own (objects.md section 15).
import type { Container, EnvVar, PodSpec } from "../../api/v1/kubernetes.ts";
import { Annotation, EnvName, MountPath, StartParam, VolumeName } from "../../api/v1/labels.ts";
import type { RayCluster, RedisCredential } from "../../api/v1/raycluster.ts";
import { addMissingEnv, appendEnv } from "./environment.ts";
import { gcsClaimName } from "./names.ts";
import { appendMount } from "./volumes.ts";

/** Switched on by the options, or by the annotation that was there before them. */
export function isGcsFtEnabled(cluster: RayCluster): boolean {
  const annotation = cluster.metadata.annotations?.[Annotation.ftEnabled];
  return cluster.spec.gcsFaultToleranceOptions !== undefined || annotation?.toLowerCase() === "true";
}

/** The state is on a volume of the head (RocksDB), not in Redis. */
export function usesEmbeddedStorage(cluster: RayCluster): boolean {
  return cluster.spec.gcsFaultToleranceOptions?.backend === "rocksdb";
}

/** The prefix of this cluster's keys in Redis. */
export function redisStorageNamespace(cluster: RayCluster): string {
  return (
    cluster.spec.gcsFaultToleranceOptions?.externalStorageNamespace ||
    (cluster.metadata.annotations?.[Annotation.externalStorageNamespace] ?? cluster.metadata.uid ?? "")
  );
}

/** The head pod's annotations. The first is there without fault tolerance too. */
export function headFtAnnotations(cluster: RayCluster): Record<string, string> {
  const enabled = isGcsFtEnabled(cluster);
  const redis = enabled && !usesEmbeddedStorage(cluster);
  return {
    [Annotation.ftEnabled]: String(enabled),
    ...(redis && { [Annotation.externalStorageNamespace]: redisStorageNamespace(cluster) }),
  };
}

/** Variables, and for embedded storage a volume, of the head's Ray container. */
export function addHeadFaultTolerance(cluster: RayCluster, spec: PodSpec, rayContainer: Container): void {
  if (!isGcsFtEnabled(cluster)) return;
  if (usesEmbeddedStorage(cluster)) addEmbeddedStorage(cluster, spec, rayContainer);
  else addRedis(cluster, rayContainer);
}

/** By default raylets give up after 60 seconds, before a new head is usually there. */
export function addWorkerFaultTolerance(cluster: RayCluster, rayContainer: Container): void {
  if (!isGcsFtEnabled(cluster)) return;
  addMissingEnv(rayContainer, [{ name: EnvName.RAY_gcs_rpc_server_reconnect_timeout_s, value: "600" }]);
}

function addRedis(cluster: RayCluster, rayContainer: Container): void {
  const { gcsFaultToleranceOptions: options, headGroupSpec } = cluster.spec;
  addMissingEnv(rayContainer, [
    { name: EnvName.RAY_external_storage_namespace, value: redisStorageNamespace(cluster) },
  ]);
  if (options) {
    appendEnv(rayContainer, [
      { name: EnvName.RAY_REDIS_ADDRESS, value: options.redisAddress ?? "" },
      ...credentialEnv(EnvName.REDIS_USERNAME, options.redisUsername),
      ...credentialEnv(EnvName.REDIS_PASSWORD, options.redisPassword),
    ]);
    return;
  }
  const password = headGroupSpec.rayStartParams?.[StartParam.redisPassword];
  if (password !== undefined) addMissingEnv(rayContainer, [{ name: EnvName.REDIS_PASSWORD, value: password }]);
}

function credentialEnv(name: string, credential: RedisCredential | undefined): EnvVar[] {
  return credential ? [{ name, ...structuredClone(credential) }] : [];
}

function addEmbeddedStorage(cluster: RayCluster, spec: PodSpec, rayContainer: Container): void {
  const subPath = cluster.spec.gcsFaultToleranceOptions?.storage?.subPath;
  addMissingEnv(rayContainer, [
    { name: EnvName.RAY_gcs_storage, value: "rocksdb" },
    { name: EnvName.RAY_gcs_storage_path, value: MountPath.gcsStorage },
  ]);
  spec.volumes = [
    ...(spec.volumes ?? []),
    { name: VolumeName.gcsStorage, persistentVolumeClaim: { claimName: gcsClaimName(cluster) } },
  ];
  appendMount(rayContainer, {
    name: VolumeName.gcsStorage,
    mountPath: MountPath.gcsStorage,
    ...(subPath && { subPath }),
  });
}
