// Kubernetes' own object types as they are on the wire: dates are strings, and every object has a name.
import type {
  V1Container,
  V1ContainerPort,
  V1EnvFromSource,
  V1EnvVar,
  V1EnvVarSource,
  V1Ingress,
  V1IngressTLS,
  V1Job,
  V1NetworkPolicy,
  V1NetworkPolicyEgressRule,
  V1NetworkPolicyIngressRule,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodTemplateSpec,
  V1Probe,
  V1ResourceRequirements,
  V1Role,
  V1RoleBinding,
  V1Secret,
  V1SecurityContext,
  V1Service,
  V1ServiceAccount,
  V1ServicePort,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";

/**
 * The JSON form of a client type: what the API server sends and takes. Dates are RFC 3339 strings; quantities may be
 * numbers, which a custom resource keeps as they were written.
 */
export type Json<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Key extends keyof QuantityFields ? QuantityFields[Key] : Json<T[Key]> }
      : T;

type Quantity = string | number;

/** The fields of pods and volumes that hold quantities; the client's types call them strings. */
interface QuantityFields {
  limits: Record<string, Quantity>;
  requests: Record<string, Quantity>;
  overhead: Record<string, Quantity>;
  sizeLimit: Quantity;
  divisor: Quantity;
}

/** `metadata.ownerReferences[]`. Source: Kubernetes API reference, meta/v1. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** The parts of `metadata` that this project reads or writes. Source: Kubernetes API reference, meta/v1. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

type Manifest<T> = Json<Omit<T, "metadata" | "apiVersion" | "kind">> & {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
};

export type Pod = Manifest<V1Pod>;
export type Service = Manifest<V1Service>;
export type ServiceAccount = Manifest<V1ServiceAccount>;
export type Role = Manifest<V1Role>;
export type RoleBinding = Manifest<V1RoleBinding>;
export type Secret = Manifest<V1Secret>;
export type Job = Manifest<V1Job>;
export type Ingress = Manifest<V1Ingress>;
export type PersistentVolumeClaim = Manifest<V1PersistentVolumeClaim>;

export type PodTemplateSpec = Json<V1PodTemplateSpec>;
export type PodSpec = NonNullable<PodTemplateSpec["spec"]>;
export type Container = Json<V1Container>;
export type ContainerPort = Json<V1ContainerPort>;
export type EnvVar = Json<V1EnvVar>;
export type Probe = Json<V1Probe>;
export type Volume = Json<V1Volume>;
export type VolumeMount = Json<V1VolumeMount>;
export type ServicePort = Json<V1ServicePort>;
export type EnvVarSource = Json<V1EnvVarSource>;
export type EnvFromSource = Json<V1EnvFromSource>;
export type ResourceRequirements = Json<V1ResourceRequirements>;
export type SecurityContext = Json<V1SecurityContext>;
export type IngressTLS = Json<V1IngressTLS>;
export type NetworkPolicyEgressRule = Json<V1NetworkPolicyEgressRule>;
/** `from` is a reserved word to the client's generator, which calls it `_from`. */
export type NetworkPolicyIngressRule = Omit<Json<V1NetworkPolicyIngressRule>, "_from"> & {
  from?: NonNullable<Json<V1NetworkPolicyIngressRule>["_from"]>;
};
export type NetworkPolicy = Omit<Manifest<V1NetworkPolicy>, "spec"> & {
  spec: Omit<NonNullable<Json<V1NetworkPolicy>["spec"]>, "ingress"> & { ingress?: NetworkPolicyIngressRule[] };
};
