// What the RayCluster controller keeps of the objects it watches. A pod of 18 kB becomes some 0.4 kB here, so that
// thousands of them fit in memory; whatever a decision wants to know of a pod has to be named in this file.
import type { ObjectMeta, Pod, Service } from "../../api/v1/kubernetes.ts";
import { Annotation, Kind, Label } from "../../api/v1/labels.ts";

interface ViewMeta extends Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion"> {
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The RayCluster that controls an object. */
export interface OwnerView {
  readonly name: string;
  readonly uid: string;
}

/** A container that keeps its pod from being ready. `reason` and `message` are the kubelet's. */
export interface ContainerProblem {
  readonly container: string;
  readonly reason: string;
  readonly message: string;
}

export interface PodView {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ViewMeta & { readonly annotations: Readonly<Record<string, string>> };
  readonly owner?: OwnerView;
  readonly phase: string;
  readonly podIP: string;
  readonly restartPolicy: string;
  readonly scheduled: boolean;
  /** The pod's Ready condition. */
  readonly ready?: { readonly status: string; readonly reason: string; readonly message: string };
  /** The first container that waits or has ended, in the order of the status. */
  readonly problem?: ContainerProblem;
  /** Why the Ray container ended, while it is not running again: `reason (exit code N)`. */
  readonly rayTerminated?: string;
}

export interface ServiceView {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ViewMeta;
  readonly owner?: OwnerView;
  readonly clusterIP: string;
  readonly ports: readonly { readonly name: string; readonly target: string }[];
}

const podLabels = [
  Label.cluster,
  Label.nodeType,
  Label.group,
  Label.workerGroupReplicaName,
  Label.workerGroupReplicaIndex,
  Label.replicaHostIndex,
];
const podAnnotations = [Annotation.upgradeStrategyRecreateHash, Annotation.operatorVersion];
const serviceLabels = [Label.cluster, Label.nodeType, Label.headlessWorkerService, Label.serve];

/** Cuts a pod down to what decisions read. */
export function podView(pod: Pod): PodView {
  const rayContainer = pod.spec?.containers[0]?.name;
  const statuses = pod.status?.containerStatuses ?? [];
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
  const stopped = statuses.find((status) => status.state?.waiting ?? status.state?.terminated);
  const cause = stopped?.state?.waiting ?? stopped?.state?.terminated;
  const terminated = statuses.find((status) => status.name === rayContainer)?.state?.terminated;
  const owner = ownerView(pod.metadata);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...viewMeta(pod.metadata, podLabels), annotations: pick(pod.metadata.annotations, podAnnotations) },
    ...(owner && { owner }),
    phase: pod.status?.phase ?? "Pending",
    podIP: pod.status?.podIP ?? "",
    restartPolicy: pod.spec?.restartPolicy ?? "Always",
    scheduled: Boolean(pod.spec?.nodeName),
    ...(ready && { ready: { status: ready.status, reason: ready.reason ?? "", message: ready.message ?? "" } }),
    ...(stopped &&
      cause && { problem: { container: stopped.name, reason: cause.reason ?? "", message: cause.message ?? "" } }),
    ...(terminated && { rayTerminated: `${terminated.reason ?? "terminated"} (exit code ${terminated.exitCode})` }),
  };
}

/** Cuts a service down to what decisions read. */
export function serviceView(service: Service): ServiceView {
  const owner = ownerView(service.metadata);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: viewMeta(service.metadata, serviceLabels),
    ...(owner && { owner }),
    clusterIP: service.spec?.clusterIP ?? "",
    ports: (service.spec?.ports ?? []).flatMap((port) => {
      const target = port.nodePort || port.targetPort;
      return port.name && target ? [{ name: port.name, target: String(target) }] : [];
    }),
  };
}

function ownerView(metadata: ObjectMeta): OwnerView | undefined {
  const owner = metadata.ownerReferences?.find(
    (reference) =>
      reference.controller && reference.kind === Kind.rayCluster && reference.apiVersion.startsWith("ray.io/"),
  );
  return owner && { name: owner.name, uid: owner.uid };
}

function viewMeta(metadata: ObjectMeta, labels: readonly string[]): ViewMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    labels: pick(metadata.labels, labels),
  };
}

function pick(map: Record<string, string> | undefined, keys: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const key of keys) {
    const value = map?.[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
