// The shapes that the runtime handles. It knows nothing of Ray; any object with metadata will do.

/** `metadata.ownerReferences[]` (Kubernetes API reference, meta/v1). */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** `metadata` (Kubernetes API reference, meta/v1); dates are RFC 3339 strings. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

/** Any Kubernetes object in its JSON form. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** A kind of object and where the API server serves it. */
export interface ResourceType {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Names one object of one kind. */
export interface ObjectReference {
  readonly type: ResourceType;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** A log of structured lines; `src/observability` writes them with winston. `fields` are JSON values. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger whose lines carry `name` appended to this one's and the given fields. */
  child(name: string, fields?: Record<string, unknown>): Logger;
}
