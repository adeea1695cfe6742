// The optional features of a RayCluster: schemas of the objects below `spec` that switch something on
// (raycluster-controller.md 2.4 to 2.8). Build time only, see schema.ts; import types from raycluster.ts.
import { Type } from "typebox";
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  NetworkPolicyEgressRule,
  NetworkPolicyIngressRule,
  ResourceRequirements,
  SecurityContext,
  VolumeMount,
} from "./kubernetes.ts";
import { celRules, Int32, Kubernetes, KubernetesList, listMap, OneOf, Quantity } from "./schema.ts";

const core = "io.k8s.api.core.v1";
const networking = "io.k8s.api.networking.v1";

export const UpgradeStrategySchema = Type.Object(
  {
    type: Type.Optional(
      OneOf(["Recreate", "None"], {
        description:
          "Recreate deletes all pods and builds the cluster again when a pod template changes. None, and leaving it out, keep running pods as they are.",
      }),
    ),
  },
  { description: "What happens to running pods when the spec changes." },
);

export const AuthOptionsSchema = Type.Object(
  {
    enableK8sTokenAuth: Type.Optional(
      Type.Boolean({
        description:
          "Lets the Kubernetes API server decide about each token instead of comparing it with one secret token. Needs mode token and Ray 2.55.0 or later.",
      }),
    ),
    secretName: Type.Optional(
      Type.String({
        description:
          "Name of an existing Secret whose key auth_token holds the token. Without it a Secret with a random token is created.",
      }),
    ),
    mode: Type.Optional(
      OneOf(["disabled", "token"], {
        description: "token makes every request to Ray carry a token (Ray 2.52.0 or later); disabled asks for none.",
      }),
    ),
  },
  { description: "Who may talk to this cluster." },
);

export const AutoscalerOptionsSchema = Type.Object(
  {
    resources: Type.Optional(
      Kubernetes<ResourceRequirements>(`${core}.ResourceRequirements`, {
        description: "Requests and limits of the autoscaler container; without it 500m CPU and 512Mi memory for both.",
      }),
    ),
    image: Type.Optional(
      Type.String({ description: "Image of the autoscaler container; without it the head's Ray image." }),
    ),
    imagePullPolicy: Type.Optional(Type.String({ description: "Pull policy of that image; without it IfNotPresent." })),
    securityContext: Type.Optional(
      Kubernetes<SecurityContext>(`${core}.SecurityContext`, {
        description: "Security settings of the autoscaler container.",
      }),
    ),
    idleTimeoutSeconds: Type.Optional(
      Int32({ description: "Seconds that a worker must be idle before the autoscaler takes it away." }),
    ),
    upscalingMode: Type.Optional(
      OneOf(["Default", "Aggressive", "Conservative"], {
        description:
          "How eagerly workers are added: Default and Aggressive as many as are asked for, Conservative at most as many as are already connected.",
      }),
    ),
    version: Type.Optional(
      OneOf(["v1", "v2"], {
        description: "Version of Ray's autoscaler; without it Ray decides by its own version.",
      }),
    ),
    env: Type.Optional(
      KubernetesList<EnvVar>(`${core}.EnvVar`, {
        description: "More environment variables of the autoscaler container.",
      }),
    ),
    envFrom: Type.Optional(
      KubernetesList<EnvFromSource>(`${core}.EnvFromSource`, {
        description: "ConfigMaps and Secrets whose keys become environment variables of the autoscaler container.",
      }),
    ),
    volumeMounts: Type.Optional(
      KubernetesList<VolumeMount>(`${core}.VolumeMount`, {
        description: "More volume mounts of the autoscaler container; the volumes belong to the head's template.",
      }),
    ),
    command: Type.Optional(
      Type.Array(Type.String(), { description: "Replaces the command of the autoscaler container." }),
    ),
    args: Type.Optional(
      Type.Array(Type.String(), { description: "Replaces the arguments of the autoscaler container." }),
    ),
  },
  { description: "Settings of the autoscaler, used when enableInTreeAutoscaling is true." },
);

const credential = (description: string) =>
  Type.Object(
    {
      value: Type.Optional(Type.String({ description: "The value itself." })),
      valueFrom: Type.Optional(
        Kubernetes<EnvVarSource>(`${core}.EnvVarSource`, {
          description: "Where the value comes from, usually a key of a Secret.",
        }),
      ),
    },
    { description },
  );

const GcsStorageSchema = Type.Object(
  {
    claimName: Type.Optional(
      Type.String({
        description: "Name of an existing PersistentVolumeClaim; size, class and access modes are then not allowed.",
      }),
    ),
    size: Type.Optional(Quantity({ description: "Size of the claim that is created; without it 1Gi." })),
    storageClassName: Type.Optional(
      Type.String({ description: "Storage class of the claim that is created; without it the Kubernetes default." }),
    ),
    accessModes: Type.Optional(
      Type.Array(Type.String(), {
        description: "Access modes of the claim that is created; without it ReadWriteOnce.",
      }),
    ),
    subPath: Type.Optional(
      Type.String({ description: "Folder inside the volume, so that clusters can share a claim." }),
    ),
    deletionPolicy: Type.Optional(
      OneOf(["DeleteWithCluster", "Retain"], {
        description:
          "Whether the claim that was created goes away with the RayCluster (DeleteWithCluster, also when left out) or stays (Retain).",
      }),
    ),
  },
  { description: "Volume for the embedded database, with backend rocksdb." },
);

export const GcsFaultToleranceOptionsSchema = Type.Object(
  {
    backend: Type.Optional(
      OneOf(["redis", "rocksdb"], {
        description:
          "Where the head keeps its state: redis, also when left out, is a Redis of yours; rocksdb is a database on a volume of the head (feature gate GCSFaultToleranceEmbeddedStorage). Cannot be changed.",
        ...celRules({ rule: "self == oldSelf", message: "gcsFaultToleranceOptions.backend is immutable" }),
      }),
    ),
    redisUsername: Type.Optional(credential("User name for Redis.")),
    redisPassword: Type.Optional(credential("Password for Redis.")),
    externalStorageNamespace: Type.Optional(
      Type.String({ description: "Prefix of this cluster's keys in Redis; without it the UID of the RayCluster." }),
    ),
    redisAddress: Type.Optional(
      Type.String({ description: "Address of Redis, for example redis:6379 or rediss://redis:6379." }),
    ),
    storage: Type.Optional(GcsStorageSchema),
  },
  { description: "Keeps the head's state outside the head, so that a new head goes on where the old one stopped." },
);

export const HistoryServerOptionsSchema = Type.Object(
  {
    collectorOptions: Type.Optional(
      Type.Object(
        {
          image: Type.Optional(Type.String({ description: "Image of the collector. Required." })),
          imagePullPolicy: Type.Optional(
            Type.String({ description: "Pull policy of that image; without it IfNotPresent." }),
          ),
          resources: Type.Optional(
            Kubernetes<ResourceRequirements>(`${core}.ResourceRequirements`, {
              description: "Requests and limits of the collector.",
            }),
          ),
          env: Type.Optional(
            KubernetesList<EnvVar>(`${core}.EnvVar`, {
              description: "Environment of the collector; STORAGE_BACKEND says where logs and events go.",
            }),
          ),
        },
        { description: "The container, one in each pod, that ships logs and events." },
      ),
    ),
  },
  { description: "Keeps logs and events for the Ray history server (feature gate RayClusterHistoryServer)." },
);

const policyRules = {
  ingressRules: Type.Optional(
    KubernetesList<NetworkPolicyIngressRule>(`${networking}.NetworkPolicyIngressRule`, {
      description: "Connections that are let in besides those that Ray needs.",
    }),
  ),
  egressRules: Type.Optional(
    KubernetesList<NetworkPolicyEgressRule>(`${networking}.NetworkPolicyEgressRule`, {
      description: "Connections that are let out besides those that Ray needs.",
    }),
  ),
};

export const NetworkPolicyOptionsSchema = Type.Object(
  {
    mode: Type.Optional(
      OneOf(["DenyAll", "DenyAllIngress", "DenyAllEgress"], {
        default: "DenyAll",
        description: "Which direction is closed unless a rule opens it.",
      }),
    ),
    head: Type.Optional(Type.Object(policyRules, { description: "Rules for the head pod." })),
    worker: Type.Optional(Type.Object(policyRules, { description: "Rules for the pods of every worker group." })),
    workerGroups: Type.Optional(
      Type.Array(
        Type.Object({ groupName: Type.String({ description: "A name in workerGroupSpecs." }), ...policyRules }),
        { description: "Rules for the pods of single worker groups.", ...listMap("groupName") },
      ),
    ),
  },
  {
    description: "Closes the cluster's pods to all traffic but their own (feature gate RayClusterNetworkPolicy).",
  },
);

export const TlsOptionsSchema = Type.Object(
  {
    enabled: Type.Optional(
      Type.Boolean({ description: "Encrypts and authenticates all traffic between the cluster's pods." }),
    ),
  },
  { description: "Mutual TLS with certificates from cert-manager (feature gate RayClusterMTLS)." },
);
