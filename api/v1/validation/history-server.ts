// Rules about the history collector (raycluster-controller.md 4.3, row 17).
import type { EnvVar } from "../kubernetes.ts";
import { ContainerName, EnvName } from "../labels.ts";
import type { HistoryServerOptions } from "../raycluster.ts";
import { type FieldError, failIf } from "./field-error.ts";
import type { HeadView, SpecView } from "./spec-view.ts";

const field = "spec.historyServerOptions";
const collector = `${field}.collectorOptions`;

type CollectorOptions = NonNullable<HistoryServerOptions["collectorOptions"]>;

/** Variables that the operator itself sets in the collector. */
const reserved = [
  EnvName.POD_IP,
  EnvName.FQ_RAY_IP,
  EnvName.RAY_CLUSTER_NAME,
  EnvName.RAY_CLUSTER_NAMESPACE,
  EnvName.RAY_ROLE,
  EnvName.OWNER_KIND,
  EnvName.OWNER_NAME,
  EnvName.EVENTS_PORT,
];

/** Row 17 in its order. */
export function historyServer({ spec, gates, head, groups }: SpecView): FieldError[] {
  const options = spec.historyServerOptions;
  if (options === undefined) return [];
  return [
    ...failIf(
      !gates.RayClusterHistoryServer,
      field,
      `${field} requires the RayClusterHistoryServer feature gate to be enabled`,
    ),
    ...(options.collectorOptions === undefined
      ? failIf(true, collector, "historyServerOptions.collectorOptions must be set")
      : collectorOptions(options.collectorOptions)),
    ...containerName(head, "head Pod"),
    ...groups.flatMap((group) => containerName(group, `worker group ${group.name}`)),
  ];
}

function collectorOptions({ image, env = [] }: CollectorOptions): FieldError[] {
  const taken = env.findIndex(({ name }) => (reserved as readonly string[]).includes(name));
  const backendIndex = env.findIndex(({ name }) => name === EnvName.STORAGE_BACKEND);
  const backend = env[backendIndex]?.value ?? "";
  return [
    ...failIf((image ?? "") === "", `${collector}.image`, "historyServerOptions.collectorOptions.image must be set"),
    ...failIf(
      taken >= 0,
      `${collector}.env[${taken}]`,
      `cannot set \`${env[taken]?.name}\` in historyServerOptions.collectorOptions.env - the operator sets it`,
    ),
    ...failIf(
      backend === "",
      backendIndex < 0 ? `${collector}.env` : `${collector}.env[${backendIndex}]`,
      "historyServerOptions.collectorOptions.env must set `STORAGE_BACKEND` to a literal value",
    ),
    ...storageBackend(backend, env),
  ];
}

/** What each backend needs besides its name; unknown backends are the collector's business. */
function storageBackend(backend: string, env: EnvVar[]): FieldError[] {
  const need = (...names: string[]) =>
    names.flatMap((name) =>
      failIf(
        !isSet(env, name),
        `${collector}.env`,
        `historyServerOptions.collectorOptions.env must set \`${name}\` when \`STORAGE_BACKEND\` is ${backend}`,
      ),
    );
  switch (backend.toUpperCase()) {
    case "GCS":
      return need(EnvName.GCS_BUCKET);
    case "S3":
      return need(EnvName.S3_REGION);
    case "ALIYUNOSS":
      return need(EnvName.OSS_BUCKET, EnvName.OSS_ENDPOINT, EnvName.OSS_REGION);
    case "AZUREBLOB":
      return azure(env, need);
    default:
      return [];
  }
}

function azure(env: EnvVar[], need: (...names: string[]) => FieldError[]): FieldError[] {
  const mode = env.find(({ name }) => name === EnvName.AZURE_STORAGE_AUTH_MODE)?.value ?? "";
  switch (mode.trim().toLowerCase()) {
    case "connection_string":
      return need(EnvName.AZURE_STORAGE_CONNECTION_STRING);
    case "workload_identity":
    case "default":
      return need(EnvName.AZURE_STORAGE_ACCOUNT_URL);
    default:
      return failIf(
        !isSet(env, EnvName.AZURE_STORAGE_CONNECTION_STRING) && !isSet(env, EnvName.AZURE_STORAGE_ACCOUNT_URL),
        `${collector}.env`,
        "historyServerOptions.collectorOptions.env must set `AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_ACCOUNT_URL` when `STORAGE_BACKEND` is AzureBlob",
      );
  }
}

function isSet(env: EnvVar[], name: string): boolean {
  const variable = env.find((entry) => entry.name === name);
  return (variable?.value ?? "") !== "" || variable?.valueFrom !== undefined;
}

function containerName({ field: at, template }: HeadView, what: string): FieldError[] {
  const index = template?.spec?.containers?.findIndex(({ name }) => name === ContainerName.historyCollector) ?? -1;
  return failIf(
    index >= 0,
    `${at}.template.spec.containers[${index}].name`,
    `${what}: container name ${ContainerName.historyCollector} is reserved for the history collector`,
  );
}
