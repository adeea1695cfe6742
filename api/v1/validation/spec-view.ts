// What the rules about a RayCluster's spec look at. Objects that only passed the schema of v1alpha1, or none, may lack
// what the types promise, so everything is read with care here, once.
import type { FeatureGates } from "../feature-gates.ts";
import type { Container, EnvVar, PodTemplateSpec, VolumeMount } from "../kubernetes.ts";
import { Annotation, EnvName } from "../labels.ts";
import type { AutoscalerOptions, GcsFaultToleranceOptions, RayClusterSpec, WorkerGroupSpec } from "../raycluster.ts";

/** The part of a RayCluster that its spec's rules need; RayJob and RayService bring the spec they embed. */
export interface RayClusterLike {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: RayClusterSpec;
}

/** A spec with the answers to questions that several rules ask. */
export interface SpecView {
  readonly spec: Partial<RayClusterSpec>;
  readonly gates: FeatureGates;
  readonly annotations: Readonly<Record<string, string>>;
  readonly head: HeadView;
  readonly groups: readonly GroupView[];
  readonly autoscaling: boolean;
  readonly autoscaler: AutoscalerOptions;
  /** By `autoscalerOptions.version`; an unset version is left to Ray and counts as neither. */
  readonly autoscalerV2: boolean;
  /** By the head's environment, the way that came before `autoscalerOptions.version`. */
  readonly autoscalerV2ByEnv: boolean;
  readonly ft: GcsFaultToleranceOptions | undefined;
}

export interface HeadView {
  readonly field: string;
  readonly template: PodTemplateSpec | undefined;
  readonly container: Container | undefined;
  readonly startParams: Readonly<Record<string, string>>;
  readonly resources: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface GroupView extends HeadView {
  readonly group: WorkerGroupSpec;
  readonly name: string;
}

/** Reads a cluster for the rules. */
export function viewSpec(cluster: RayClusterLike, gates: FeatureGates): SpecView {
  const spec: Partial<RayClusterSpec> = cluster.spec ?? {};
  const head = viewPods("spec.headGroupSpec", spec.headGroupSpec);
  const autoscaler = spec.autoscalerOptions ?? {};
  return {
    spec,
    gates,
    annotations: cluster.metadata.annotations ?? {},
    head,
    groups: (spec.workerGroupSpecs ?? []).map((group, index) => ({
      ...viewPods(`spec.workerGroupSpecs[${index}]`, group),
      group,
      name: group.groupName ?? "",
    })),
    autoscaling: spec.enableInTreeAutoscaling === true,
    autoscaler,
    autoscalerV2: autoscaler.version === "v2",
    autoscalerV2ByEnv: ["1", "true"].includes(findEnv(head.container, EnvName.RAY_enable_autoscaler_v2)?.value ?? ""),
    ft: spec.gcsFaultToleranceOptions,
  };
}

type Group = Partial<Pick<WorkerGroupSpec, "template" | "rayStartParams" | "resources" | "labels">>;

function viewPods(field: string, group: Group | undefined): HeadView {
  return {
    field,
    template: group?.template,
    container: group?.template?.spec?.containers?.[0],
    startParams: group?.rayStartParams ?? {},
    resources: group?.resources ?? {},
    labels: group?.labels ?? {},
  };
}

/** Where the Ray container of a group is. */
export function rayContainerField({ field }: HeadView): string {
  return `${field}.template.spec.containers[0]`;
}

/** A variable of a container. */
export function findEnv(container: Pick<Container, "env"> | undefined, name: string): EnvVar | undefined {
  return container?.env?.find((variable) => variable.name === name);
}

/** Where a variable of a group's Ray container is. */
export function envField(pods: HeadView, name: string): string {
  return `${rayContainerField(pods)}.env[${pods.container?.env?.findIndex((variable) => variable.name === name) ?? 0}]`;
}

/** The position of the first mount of that volume name or at that path, or -1. */
export function findMount(mounts: readonly VolumeMount[] | undefined, name: string, path: string): number {
  return mounts?.findIndex((mount) => mount.name === name || mount.mountPath === path) ?? -1;
}

/** GCS fault tolerance is on by its options, or by the older annotation (raycluster-controller.md 8.1). */
export function isFaultTolerant({ ft, annotations }: SpecView): boolean {
  return ft !== undefined || annotations[Annotation.ftEnabled]?.toLowerCase() === "true";
}
