// RayCluster: one schema is the source of the types below, of the CRD, of the validators and of the reference page
// (raycluster-controller.md sections 1 to 3). Import only types from here: the values load TypeBox.
import { type Static, Type } from "typebox";
import type { IngressTLS, ObjectMeta, PodTemplateSpec, Service } from "./kubernetes.ts";
import { MANAGED_BY_MULTIKUEUE, MANAGED_BY_OPERATOR } from "./labels.ts";
import {
  AuthOptionsSchema,
  AutoscalerOptionsSchema,
  GcsFaultToleranceOptionsSchema,
  HistoryServerOptionsSchema,
  NetworkPolicyOptionsSchema,
  TlsOptionsSchema,
  UpgradeStrategySchema,
} from "./raycluster-options.ts";
import { type ConditionSchema, type HeadInfoSchema, RayClusterStatusSchema } from "./raycluster-status.ts";
import { celRules, Int32, Kubernetes, KubernetesList, OneOf, StringMap } from "./schema.ts";

/** `template` of a group: its first container is the one that runs Ray. */
const template = (description: string) =>
  Kubernetes<PodTemplateSpec>("io.k8s.api.core.v1.PodTemplateSpec", { description });

/** Fields that the head group and worker groups share. */
const groupFields = {
  rayStartParams: Type.Optional(
    StringMap({
      description: "Options of `ray start` without the leading dashes, for example num-cpus: '2'. Values are strings.",
    }),
  ),
  resources: Type.Optional(
    StringMap({
      description:
        "Resources that Ray counts on in each pod, by name, as quantities; overrides what the Ray container asks for.",
    }),
  ),
  labels: Type.Optional(
    StringMap({ description: "Labels of the Ray nodes, for label-based scheduling in Ray; also set on the pods." }),
  ),
};

const IngressOptionsSchema = Type.Object(
  {
    host: Type.Optional(Type.String({ description: "Host name of the rule; without it any host." })),
    path: Type.Optional(Type.String({ description: "Path of the rule; without it /." })),
    pathType: Type.Optional(
      OneOf(["Exact", "Prefix", "ImplementationSpecific"], {
        description: "How the path is compared; without it Prefix.",
      }),
    ),
    tls: Type.Optional(
      KubernetesList<IngressTLS>("io.k8s.api.networking.v1.IngressTLS", { description: "TLS of the Ingress." }),
    ),
  },
  { description: "Details of the Ingress, used when enableIngress is true." },
);

const HeadGroupSpecSchema = Type.Object(
  {
    template: template("The head pod. Its first container runs Ray."),
    headService: Type.Optional(
      Kubernetes<EmbeddedService>("io.k8s.api.core.v1.Service", {
        description: "A Service to start from when the head service is made: name, labels, annotations, type, ports.",
      }),
    ),
    serviceType: Type.Optional(
      Type.String({ description: "Type of the head service: ClusterIP (also when left out), NodePort, LoadBalancer." }),
    ),
    enableIngress: Type.Optional(
      Type.Boolean({ description: "Makes an Ingress (on OpenShift a Route) for the dashboard." }),
    ),
    ingressOptions: Type.Optional(IngressOptionsSchema),
    ...groupFields,
  },
  { description: "The head of the cluster." },
);

const ScaleStrategySchema = Type.Object(
  {
    workersToDelete: Type.Optional(
      Type.Array(Type.String(), { description: "Names of pods to delete, written by the autoscaler." }),
    ),
  },
  { description: "Which pods go first when the group shrinks." },
);

const WorkerGroupSpecSchema = Type.Object(
  {
    groupName: Type.String({ description: "Name of the group, different from that of every other group." }),
    template: template("A pod of this group. Its first container runs Ray."),
    replicas: Type.Optional(
      Int32({
        default: 0,
        description:
          "How many replicas are wanted. A replica is numOfHosts pods. The autoscaler changes it when autoscaling is on.",
      }),
    ),
    minReplicas: Int32({ default: 0, description: "Replicas that are kept at least." }),
    maxReplicas: Int32({ default: 2147483647, description: "Replicas that are allowed at most." }),
    numOfHosts: Type.Optional(
      Int32({
        default: 1,
        description: "Pods in one replica; more than one for accelerators that span hosts, such as TPU slices.",
      }),
    ),
    suspend: Type.Optional(
      Type.Boolean({
        description: "Removes the pods of this group while it is true. Not together with autoscaling.",
      }),
    ),
    idleTimeoutSeconds: Type.Optional(
      Int32({
        description:
          "Seconds that a worker of this group must be idle before the autoscaler takes it away. Needs autoscaler v2.",
      }),
    ),
    priority: Type.Optional(
      Int32({
        default: 0,
        description:
          "Groups with a higher number are scaled up first. Needs autoscaler v2 and Ray 2.56.0 or later unless it is 0.",
      }),
    ),
    scaleStrategy: Type.Optional(ScaleStrategySchema),
    ...groupFields,
  },
  { description: "Workers that are all alike." },
);

const RayClusterSpecSchema = Type.Object(
  {
    rayVersion: Type.Optional(
      Type.String({
        description:
          "Version of Ray in the images, for example 2.52.0. Some features ask for a minimum; the images are not inspected.",
      }),
    ),
    headGroupSpec: HeadGroupSpecSchema,
    workerGroupSpecs: Type.Optional(
      Type.Array(WorkerGroupSpecSchema, { description: "The groups of workers. A cluster may have none." }),
    ),
    enableInTreeAutoscaling: Type.Optional(
      Type.Boolean({ description: "Runs Ray's autoscaler beside the head; it then sets the replicas of each group." }),
    ),
    autoscalerOptions: Type.Optional(AutoscalerOptionsSchema),
    suspend: Type.Optional(
      Type.Boolean({ description: "Deletes all pods while it is true; setting it back starts the cluster again." }),
    ),
    managedBy: Type.Optional(
      Type.String({
        description: `Who reconciles this object: ${MANAGED_BY_OPERATOR} (also when left out) or ${MANAGED_BY_MULTIKUEUE}. Cannot be changed.`,
        ...celRules(
          { rule: "self == oldSelf", message: "the managedBy field is immutable" },
          {
            rule: `self in ['${MANAGED_BY_OPERATOR}', '${MANAGED_BY_MULTIKUEUE}']`,
            message: `the managedBy field value must be either '${MANAGED_BY_OPERATOR}' or '${MANAGED_BY_MULTIKUEUE}'`,
          },
        ),
      }),
    ),
    headServiceAnnotations: Type.Optional(
      StringMap({ description: "Annotations of the head service, set when it is created." }),
    ),
    gcsFaultToleranceOptions: Type.Optional(GcsFaultToleranceOptionsSchema),
    upgradeStrategy: Type.Optional(UpgradeStrategySchema),
    authOptions: Type.Optional(AuthOptionsSchema),
    networkPolicy: Type.Optional(NetworkPolicyOptionsSchema),
    tlsOptions: Type.Optional(TlsOptionsSchema),
    historyServerOptions: Type.Optional(HistoryServerOptionsSchema),
  },
  { description: "The cluster that is wanted." },
);

/** `spec` and `status`; `apiVersion`, `kind` and `metadata` are every object's. The CRD requires none of them. */
export const RayClusterSchema = Type.Object(
  { spec: Type.Optional(RayClusterSpecSchema), status: Type.Optional(RayClusterStatusSchema) },
  { description: "A Ray cluster: one head and any number of workers, in pods." },
);

/** `headGroupSpec.headService`: part of a Service; the operator completes it. */
interface EmbeddedService {
  apiVersion?: string;
  kind?: string;
  metadata?: Partial<Pick<ObjectMeta, "name" | "namespace" | "labels" | "annotations" | "finalizers">>;
  spec?: NonNullable<Service["spec"]>;
  status?: NonNullable<Service["status"]>;
}

/**
 * A RayCluster (ray.io/v1) as it is on the wire. The CRD lets an object without `spec` pass; `validateRayClusterSpec`
 * refuses it, so that code behind validation can rely on `spec` and on the first container of every template.
 */
export interface RayCluster {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: RayClusterSpec;
  status?: RayClusterStatus;
}

export type HeadGroupSpec = Static<typeof HeadGroupSpecSchema>;
/** `minReplicas` and `maxReplicas` have defaults: the API server fills them in, files may leave them out. */
export type WorkerGroupSpec = Omit<Static<typeof WorkerGroupSpecSchema>, "minReplicas" | "maxReplicas"> & {
  minReplicas?: number;
  maxReplicas?: number;
};
export type RayClusterSpec = Omit<Static<typeof RayClusterSpecSchema>, "workerGroupSpecs"> & {
  workerGroupSpecs?: WorkerGroupSpec[];
};
export type RayClusterStatus = Static<typeof RayClusterStatusSchema>;
export type RayClusterCondition = Static<typeof ConditionSchema>;
export type HeadInfo = Static<typeof HeadInfoSchema>;
export type IngressOptions = Static<typeof IngressOptionsSchema>;
export type UpgradeStrategy = Static<typeof UpgradeStrategySchema>;
export type AuthOptions = Static<typeof AuthOptionsSchema>;
export type AutoscalerOptions = Static<typeof AutoscalerOptionsSchema>;
export type GcsFaultToleranceOptions = Static<typeof GcsFaultToleranceOptionsSchema>;
export type RedisCredential = NonNullable<GcsFaultToleranceOptions["redisPassword"]>;
export type HistoryServerOptions = Static<typeof HistoryServerOptionsSchema>;
export type NetworkPolicyOptions = Static<typeof NetworkPolicyOptionsSchema>;
export type NetworkPolicyRules = NonNullable<NetworkPolicyOptions["head"]>;
export type TlsOptions = Static<typeof TlsOptionsSchema>;
