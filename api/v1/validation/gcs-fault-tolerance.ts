// Rules about GCS fault tolerance (raycluster-controller.md 4.3, rows 6 to 11).
import { Annotation, EnvName, MountPath, StartParam, VolumeName } from "../labels.ts";
import type { GcsFaultToleranceOptions } from "../raycluster.ts";
import { type FieldError, failIf } from "./field-error.ts";
import { envField, findEnv, findMount, isFaultTolerant, rayContainerField, type SpecView } from "./spec-view.ts";

const options = "spec.gcsFaultToleranceOptions";

/** Rows 6 to 11 in their order. */
export function gcsFaultTolerance(view: SpecView): FieldError[] {
  const { ft } = view;
  return [
    ...annotationAndOptions(view),
    ...redisWithoutFaultTolerance(view),
    ...(ft === undefined ? [] : settingsOutsideOptions(view)),
    ...(ft?.backend === "rocksdb" ? embeddedBackend(view, ft) : []),
    ...failIf(
      ft?.storage !== undefined && ft.backend !== "rocksdb",
      `${options}.storage`,
      "GcsFaultToleranceOptions.Storage can only be set when GcsFaultToleranceOptions.Backend is rocksdb",
    ),
    ...redisUsername(view),
  ];
}

function annotationAndOptions({ annotations, ft }: SpecView): FieldError[] {
  return failIf(
    (annotations[Annotation.ftEnabled] ?? "") !== "" && ft !== undefined,
    `metadata.annotations[${Annotation.ftEnabled}]`,
    `${Annotation.ftEnabled} annotation and GcsFaultToleranceOptions are both set. Please use only GcsFaultToleranceOptions to configure GCS fault tolerance`,
  );
}

function redisWithoutFaultTolerance(view: SpecView): FieldError[] {
  const name = EnvName.RAY_REDIS_ADDRESS;
  return failIf(
    !isFaultTolerant(view) && findEnv(view.head.container, name) !== undefined,
    envField(view.head, name),
    `cannot set \`${name}\` env var in head Pod when GCS fault tolerance is not enabled - use GcsFaultToleranceOptions to enable it`,
  );
}

/** Row 8: what the options say must not be said a second time elsewhere. */
function settingsOutsideOptions({ head, annotations }: SpecView): FieldError[] {
  const env = (name: string, instead: string) =>
    failIf(
      findEnv(head.container, name) !== undefined,
      envField(head, name),
      `cannot set \`${name}\` env var in head Pod when GcsFaultToleranceOptions is enabled - use GcsFaultToleranceOptions.${instead} instead`,
    );
  return [
    ...failIf(
      (head.startParams[StartParam.redisPassword] ?? "") !== "",
      `${head.field}.rayStartParams.${StartParam.redisPassword}`,
      `cannot set \`${StartParam.redisPassword}\` in rayStartParams when GcsFaultToleranceOptions is enabled - use GcsFaultToleranceOptions.RedisPassword instead`,
    ),
    ...env(EnvName.REDIS_PASSWORD, "RedisPassword"),
    ...env(EnvName.RAY_REDIS_ADDRESS, "RedisAddress"),
    ...failIf(
      (annotations[Annotation.externalStorageNamespace] ?? "") !== "",
      `metadata.annotations[${Annotation.externalStorageNamespace}]`,
      `cannot set \`${Annotation.externalStorageNamespace}\` annotation when GcsFaultToleranceOptions is enabled - use GcsFaultToleranceOptions.ExternalStorageNamespace instead`,
    ),
  ];
}

/** Row 9: backend `rocksdb` has no Redis and brings its own volume. */
function embeddedBackend(view: SpecView, ft: GcsFaultToleranceOptions): FieldError[] {
  return [
    ...failIf(
      !view.gates.GCSFaultToleranceEmbeddedStorage,
      `${options}.backend`,
      `${options}.backend rocksdb requires the GCSFaultToleranceEmbeddedStorage feature gate to be enabled`,
    ),
    ...redisFields(ft),
    ...claim(ft),
    ...embeddedStorageOverridden(view),
  ];
}

function redisFields(ft: GcsFaultToleranceOptions): FieldError[] {
  const set = [
    { field: "redisAddress", name: "RedisAddress", set: (ft.redisAddress ?? "") !== "" },
    { field: "redisUsername", name: "RedisUsername", set: ft.redisUsername !== undefined },
    { field: "redisPassword", name: "RedisPassword", set: ft.redisPassword !== undefined },
    {
      field: "externalStorageNamespace",
      name: "ExternalStorageNamespace",
      set: (ft.externalStorageNamespace ?? "") !== "",
    },
  ].filter((setting) => setting.set);
  return set.map(({ field, name }) => ({
    field: `${options}.${field}`,
    message: `cannot set GcsFaultToleranceOptions.${name} when GcsFaultToleranceOptions.Backend is rocksdb`,
  }));
}

function claim({ storage }: GcsFaultToleranceOptions): FieldError[] {
  const described = (["size", "storageClassName", "accessModes"] as const).find((name) => {
    const value = storage?.[name];
    return value !== undefined && !(Array.isArray(value) && value.length === 0);
  });
  return failIf(
    (storage?.claimName ?? "") !== "" && described !== undefined,
    `${options}.storage.claimName`,
    `cannot set GcsFaultToleranceOptions.Storage \`claimName\` together with \`${described}\`, which describes a claim to be created`,
  );
}

function embeddedStorageOverridden({ head }: SpecView): FieldError[] {
  const variable = [EnvName.RAY_gcs_storage, EnvName.RAY_gcs_storage_path].find(
    (name) => findEnv(head.container, name) !== undefined,
  );
  const mount = findMount(head.container?.volumeMounts, VolumeName.gcsStorage, MountPath.gcsStorage);
  const volume = head.template?.spec?.volumes?.findIndex(({ name }) => name === VolumeName.gcsStorage) ?? -1;
  const reserved = "when GcsFaultToleranceOptions.Backend is rocksdb - the operator adds it";
  return [
    ...failIf(
      variable !== undefined,
      envField(head, variable ?? ""),
      `cannot set \`${variable}\` env var in head Pod ${reserved}`,
    ),
    ...failIf(
      mount >= 0,
      `${rayContainerField(head)}.volumeMounts[${mount}]`,
      `cannot mount volume \`${VolumeName.gcsStorage}\` or path ${MountPath.gcsStorage} in the Ray container of the head Pod ${reserved}`,
    ),
    ...failIf(
      volume >= 0,
      `${head.field}.template.spec.volumes[${volume}]`,
      `cannot define volume \`${VolumeName.gcsStorage}\` in head Pod ${reserved}`,
    ),
  ];
}

/** Row 11, with or without fault tolerance. */
function redisUsername({ head }: SpecView): FieldError[] {
  const param = (head.startParams[StartParam.redisUsername] ?? "") !== "";
  const instead = "use GcsFaultToleranceOptions.RedisUsername instead";
  return [
    ...failIf(
      param,
      `${head.field}.rayStartParams.${StartParam.redisUsername}`,
      `cannot set \`${StartParam.redisUsername}\` in rayStartParams - ${instead}`,
    ),
    ...failIf(
      findEnv(head.container, EnvName.REDIS_USERNAME) !== undefined,
      envField(head, EnvName.REDIS_USERNAME),
      `cannot set \`${EnvName.REDIS_USERNAME}\` env var in head Pod - ${instead}`,
    ),
  ];
}
