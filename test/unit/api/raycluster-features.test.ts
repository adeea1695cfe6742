import { expect } from "chai";
import { check, describeCases, ft, group, head, headEnv, headPod } from "./raycluster-cases.ts";

describeCases("a RayCluster is refused for fault tolerance", [
  {
    title: "switched on twice, even by an annotation that says false",
    set: { "metadata.annotations": { "ray.io/ft-enabled": "false" }, [ft]: {} },
    field: "metadata.annotations[ray.io/ft-enabled]",
    message:
      "ray.io/ft-enabled annotation and GcsFaultToleranceOptions are both set. Please use only GcsFaultToleranceOptions to configure GCS fault tolerance",
  },
  {
    title: "half on, with an address in the environment only",
    set: { [`${headEnv}[0].name`]: "RAY_REDIS_ADDRESS" },
    field: `${headEnv}[0]`,
    message: /`RAY_REDIS_ADDRESS`.*not enabled/,
  },
  {
    title: "with the password as a start parameter",
    set: { [ft]: {}, [`${head}.rayStartParams.redis-password`]: "x" },
    field: `${head}.rayStartParams.redis-password`,
    message:
      "cannot set `redis-password` in rayStartParams when GcsFaultToleranceOptions is enabled - use GcsFaultToleranceOptions.RedisPassword instead",
  },
  {
    title: "with the password in the environment",
    set: { [ft]: {}, [`${headEnv}[0].name`]: "REDIS_PASSWORD" },
    field: `${headEnv}[0]`,
    message: /`REDIS_PASSWORD` env var.*RedisPassword instead/,
  },
  {
    title: "with the address in the environment too",
    set: { [ft]: {}, [`${headEnv}[1]`]: { name: "RAY_REDIS_ADDRESS" } },
    field: `${headEnv}[1]`,
    message:
      "cannot set `RAY_REDIS_ADDRESS` env var in head Pod when GcsFaultToleranceOptions is enabled - use GcsFaultToleranceOptions.RedisAddress instead",
  },
  {
    title: "with the namespace in an annotation",
    set: { [ft]: {}, "metadata.annotations": { "ray.io/external-storage-namespace": "a" } },
    field: "metadata.annotations[ray.io/external-storage-namespace]",
    message: /ExternalStorageNamespace instead/,
  },
  {
    title: "embedded, without its gate",
    set: { [ft]: { backend: "rocksdb" } },
    gates: { GCSFaultToleranceEmbeddedStorage: false },
    field: `${ft}.backend`,
    message: /requires the GCSFaultToleranceEmbeddedStorage feature gate to be enabled/,
  },
  ...Object.entries({
    redisAddress: "redis:6379",
    redisUsername: {},
    redisPassword: {},
    externalStorageNamespace: "a",
  }).map(([name, value]) => ({
    title: `embedded, with ${name}`,
    set: { [ft]: { backend: "rocksdb", [name]: value } },
    field: `${ft}.${name}`,
    message: /when GcsFaultToleranceOptions\.Backend is rocksdb/,
  })),
  ...Object.entries({ size: "1Gi", storageClassName: "fast", accessModes: ["ReadWriteOnce"] }).map(([name, value]) => ({
    title: `embedded, with a claim and its ${name}`,
    set: { [ft]: { backend: "rocksdb", storage: { claimName: "mine", [name]: value } } },
    field: `${ft}.storage.claimName`,
    message: new RegExp(`together with \`${name}\``),
  })),
  ...["RAY_gcs_storage", "RAY_gcs_storage_path"].map((name) => ({
    title: `embedded, with ${name} in the environment`,
    set: { [ft]: { backend: "rocksdb" }, [`${headEnv}[0].name`]: name },
    field: `${headEnv}[0]`,
    message: new RegExp(`\`${name}\` env var`),
  })),
  {
    title: "embedded, with its path taken",
    set: { [ft]: { backend: "rocksdb" }, [`${headPod}.containers[0].volumeMounts[0].mountPath`]: "/data/gcs" },
    field: `${headPod}.containers[0].volumeMounts[0]`,
    message: /cannot mount volume `gcs-storage`/,
  },
  {
    title: "embedded, with its volume taken",
    set: { [ft]: { backend: "rocksdb" }, [`${headPod}.volumes[1]`]: { name: "gcs-storage" } },
    field: `${headPod}.volumes[1]`,
    message: /cannot define volume `gcs-storage`/,
  },
  {
    title: "with storage but in Redis",
    set: { [ft]: { storage: {} } },
    field: `${ft}.storage`,
    message: /only be set when GcsFaultToleranceOptions\.Backend is rocksdb/,
  },
  {
    title: "with a user name as a start parameter, fault tolerant or not",
    set: { [`${head}.rayStartParams.redis-username`]: "x" },
    field: `${head}.rayStartParams.redis-username`,
    message: /`redis-username` in rayStartParams/,
  },
  {
    title: "with a user name in the environment, fault tolerant or not",
    set: { [`${headEnv}[0].name`]: "REDIS_USERNAME" },
    field: `${headEnv}[0]`,
    message: /`REDIS_USERNAME` env var/,
  },
]);

const collector = "spec.historyServerOptions.collectorOptions";
const backend = (name: string, ...env: object[]) => ({
  [collector]: { image: "c", env: [{ name: "STORAGE_BACKEND", value: name }, ...env] },
});
describeCases("a RayCluster is refused for the history server", [
  {
    title: "without the gate",
    set: backend("S3"),
    gates: { RayClusterHistoryServer: false },
    field: "spec.historyServerOptions",
    message: "spec.historyServerOptions requires the RayClusterHistoryServer feature gate to be enabled",
  },
  {
    title: "without a collector",
    set: { "spec.historyServerOptions": {} },
    field: collector,
    message: /must be set/,
  },
  {
    title: "without an image",
    set: { [collector]: { env: [{ name: "STORAGE_BACKEND", value: "x" }] } },
    field: `${collector}.image`,
    message: /image must be set/,
  },
  {
    title: "with a variable of the operator's",
    set: backend("x", { name: "RAY_ROLE", value: "head" }),
    field: `${collector}.env[1]`,
    message: /`RAY_ROLE`/,
  },
  {
    title: "without a backend",
    set: { [collector]: { image: "c" } },
    field: `${collector}.env`,
    message: /`STORAGE_BACKEND`/,
  },
  {
    title: "with a backend from elsewhere",
    set: { [collector]: { image: "c", env: [{ name: "STORAGE_BACKEND", valueFrom: {} }] } },
    field: `${collector}.env[0]`,
    message: /literal value/,
  },
  { title: "on GCS without a bucket", set: backend("gcs"), field: `${collector}.env`, message: /`GCS_BUCKET`/ },
  {
    title: "on S3 without a region",
    set: backend("S3", { name: "S3_REGION", value: "" }),
    field: `${collector}.env`,
    message: /`S3_REGION`/,
  },
  {
    title: "on OSS without an endpoint",
    set: backend("AliyunOSS", { name: "OSS_BUCKET", value: "b" }),
    field: `${collector}.env`,
    message: /`OSS_ENDPOINT`/,
  },
  {
    title: "on Azure by connection string without one",
    set: backend("azureblob", { name: "AZURE_STORAGE_AUTH_MODE", value: " Connection_String " }),
    field: `${collector}.env`,
    message: /`AZURE_STORAGE_CONNECTION_STRING`/,
  },
  {
    title: "on Azure by identity without an account",
    set: backend("azureblob", { name: "AZURE_STORAGE_AUTH_MODE", value: "default" }),
    field: `${collector}.env`,
    message: /`AZURE_STORAGE_ACCOUNT_URL`/,
  },
  {
    title: "on Azure without any way in",
    set: backend("azureblob"),
    field: `${collector}.env`,
    message: /`AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_ACCOUNT_URL`/,
  },
  {
    title: "with its container's name taken in a group",
    set: { ...backend("x"), [`${group}.template.spec.containers[1]`]: { name: "ray-history-collector" } },
    field: `${group}.template.spec.containers[1].name`,
    message: /ray-history-collector is reserved/,
  },
]);

it("a RayCluster is accepted for the history server with a value from a Secret, and on unknown backends", () => {
  expect(
    check({ set: backend("S3", { name: "S3_REGION", valueFrom: { secretKeyRef: { key: "region" } } }) }),
  ).to.deep.equal([]);
  expect(check({ set: backend("tape") })).to.deep.equal([]);
});

describeCases("a RayCluster is refused for authentication", [
  {
    title: "without a version",
    set: { "spec.rayVersion": undefined, "spec.authOptions.mode": "token" },
    field: "spec.rayVersion",
    message: "authOptions.mode is 'token' but RayVersion was not specified",
  },
  {
    title: "with a version that cannot be read",
    set: { "spec.rayVersion": "nightly", "spec.authOptions.mode": "token" },
    field: "spec.rayVersion",
    message: /nightly is not a valid version/,
  },
  {
    title: "with an older Ray",
    set: { "spec.rayVersion": "2.40.0", "spec.authOptions.mode": "token" },
    field: "spec.rayVersion",
    message: "authOptions.mode is 'token' but minimum Ray version is 2.52.0, got 2.40.0",
  },
  {
    title: "by Kubernetes with an older Ray",
    set: { "spec.rayVersion": "2.54.0", "spec.authOptions": { mode: "token", enableK8sTokenAuth: true } },
    field: "spec.rayVersion",
    message: /minimum Ray version is 2\.55\.0, got 2\.54\.0/,
  },
  {
    title: "by Kubernetes and by a Secret",
    set: { "spec.authOptions": { mode: "token", enableK8sTokenAuth: true, secretName: "s" } },
    field: "spec.authOptions.secretName",
    message: /cannot be set together/,
  },
  {
    title: "by Kubernetes without mode token",
    set: { "spec.authOptions": { enableK8sTokenAuth: true } },
    field: "spec.authOptions.enableK8sTokenAuth",
    message: /requires authOptions\.mode 'token'/,
  },
]);

const policy = "spec.networkPolicy";
describeCases("a RayCluster is refused for its network policy", [
  {
    title: "without the gate",
    set: { [policy]: {} },
    gates: { RayClusterNetworkPolicy: false },
    field: policy,
    message: "spec.networkPolicy requires the RayClusterNetworkPolicy feature gate to be enabled",
  },
  {
    title: "with rules for a way in that is open",
    set: { [policy]: { mode: "DenyAllEgress", head: { ingressRules: [{}] } } },
    field: `${policy}.head.ingressRules`,
    message: /when mode is DenyAllEgress/,
  },
  {
    title: "with rules for a way out that is open",
    set: { [policy]: { mode: "DenyAllIngress", worker: { egressRules: [{}] } } },
    field: `${policy}.worker.egressRules`,
    message: /when mode is DenyAllIngress/,
  },
  {
    title: "with a group name that cannot be part of a name",
    set: { [policy]: {}, [`${group}.groupName`]: "Big_One" },
    field: `${group}.groupName`,
    message: /'Big_One' must be a valid DNS-1123 label/,
  },
  {
    title: "with rules for a group that does not exist",
    set: { [policy]: { workerGroups: [{ groupName: "large" }] } },
    field: `${policy}.workerGroups[0].groupName`,
    message: /names large, but there is no worker group/,
  },
]);

describeCases("a RayCluster is refused for TLS", [
  {
    title: "without the gate, even when it is off",
    set: { "spec.tlsOptions": { enabled: false } },
    gates: { RayClusterMTLS: false },
    field: "spec.tlsOptions",
    message: "spec.tlsOptions requires the RayClusterMTLS feature gate to be enabled",
  },
  {
    title: "with its variables in the head",
    set: { "spec.tlsOptions.enabled": true, [`${headEnv}[0].name`]: "RAY_USE_TLS" },
    field: `${headEnv}[0]`,
    message: /`RAY_USE_TLS` env var in the Ray container of the head Pod/,
  },
  {
    title: "with its path taken in a group",
    set: {
      "spec.tlsOptions.enabled": true,
      [`${group}.template.spec.containers[0].volumeMounts`]: [{ name: "mine", mountPath: "/etc/ray/tls" }],
    },
    field: `${group}.template.spec.containers[0].volumeMounts[0]`,
    message: /worker group small/,
  },
  {
    title: "with its volume mounted by the autoscaler",
    set: {
      "spec.tlsOptions.enabled": true,
      "spec.autoscalerOptions.volumeMounts": [{ name: "ray-tls", mountPath: "/x" }],
    },
    field: "spec.autoscalerOptions.volumeMounts[0]",
    message: /in autoscalerOptions/,
  },
]);
