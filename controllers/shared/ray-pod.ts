// What head and worker pods have in common (objects.md 5.3): a template becomes a pod that runs Ray.
import type { Container, ObjectMeta, Pod, PodSpec, PodTemplateSpec } from "../../api/v1/kubernetes.ts";
import { Annotation, DefaultPort, PortName, StartParam } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { rayCommand } from "./command.ts";
import { addMissingEnv, addRayEnvironment, appendEnv, headAddressEnv } from "./environment.ts";
import { historyCollector } from "./history-collector.ts";
import { controllerReference } from "./owner-reference.ts";
import { addProbes } from "./probes.ts";
import { rayStartCommand, type StartParams } from "./ray-start.ts";
import type { Settings } from "./settings.ts";
import { addRayLogs, addSharedMemory } from "./volumes.ts";

/** What the builder of one kind of pod knows about it. */
export interface RayPodPlan {
  readonly cluster: RayCluster;
  readonly settings: Settings;
  readonly nodeType: "head" | "worker";
  /** DNS name of the head service. */
  readonly headHost: string;
  /** Complete parameters of `ray start`. */
  readonly params: StartParams;
  /** The labels that the operator's defaults are added to. */
  readonly labels: Readonly<Record<string, string>>;
  /** The annotations that the operator's defaults are added to. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a pod is called. The name was drawn from the prefix beforehand; KubeRay's pods show the prefix, so ours do. */
export interface RayPodName {
  readonly name: string;
  readonly generateName?: string;
}

/**
 * A deep copy of a template's pod spec and its first container, which runs Ray. Throws if there is none. Parts that a
 * YAML file shares by anchors are separate in the copy, so that a change of one container is not one of another.
 */
export function copyTemplate(template: PodTemplateSpec): { spec: PodSpec; rayContainer: Container } {
  const spec: PodSpec = JSON.parse(JSON.stringify(template.spec ?? { containers: [] }));
  const rayContainer = spec.containers[0];
  if (!rayContainer) throw new Error("a pod template without containers passed validation");
  return { spec, rayContainer };
}

/** Annotations of the template, and the RayCluster's wish to keep the users' commands. */
export function templateAnnotations(cluster: RayCluster, template: PodTemplateSpec): Record<string, string> {
  const key = Annotation.overwriteContainerCommand;
  return {
    ...template.metadata?.annotations,
    ...(isTrue(cluster.metadata.annotations?.[key]) && { [key]: "true" }),
  };
}

/** Adds the port that Prometheus scrapes, unless the user named one so. Its number does not follow the parameter. */
export function addMetricsPort(rayContainer: Container): void {
  if (rayContainer.ports?.some((port) => port.name === PortName.metrics)) return;
  rayContainer.ports = [...(rayContainer.ports ?? []), { name: PortName.metrics, containerPort: DefaultPort.metrics }];
}

/**
 * Completes a spec that already has everything which only heads or only workers have: sidecars, volumes, command,
 * environment, probes. `sharesLogs` is a container, beside the history collector, that uses Ray's session folder.
 */
export function finishRayContainers(
  plan: RayPodPlan,
  spec: PodSpec,
  rayContainer: Container,
  sharesLogs?: Container,
): void {
  const { cluster, settings, nodeType, headHost, params } = plan;
  const collector = historyCollector(cluster, settings, nodeType, headHost);
  const sidecars = nodeType === "head" ? settings.headSidecarContainers : settings.workerSidecarContainers;
  spec.containers.push(...(collector ? [collector] : []), ...structuredClone([...sidecars]));
  addMissingEnv(rayContainer, structuredClone([...settings.defaultContainerEnvs]));

  if (!(StartParam.plasmaDirectory in params)) addSharedMemory(spec, rayContainer);
  if (sharesLogs) addRayLogs(spec, rayContainer, sharesLogs);
  if (collector) addRayLogs(spec, rayContainer, collector);

  const rayStart = rayStartCommand(nodeType, params);
  const keepCommand = isTrue(podAnnotations(plan)[Annotation.overwriteContainerCommand]);
  Object.assign(rayContainer, rayCommand(rayContainer, rayStart, settings, keepCommand));
  for (const container of spec.initContainers ?? []) appendEnv(container, headAddressEnv(headHost));
  addRayEnvironment(rayContainer, cluster, settings, {
    nodeType,
    headHost,
    rayStart,
    collector: collector !== undefined,
  });
  if (settings.enableProbesInjection) addProbes(rayContainer, cluster, nodeType, params);
}

/** Puts the parts together. Users' labels and annotations win over the operator's defaults. */
export function rayPod(plan: RayPodPlan, name: RayPodName, template: PodTemplateSpec, spec: PodSpec): Pod {
  const { cluster, settings } = plan;
  const annotations = podAnnotations(plan);
  const finalizers = template.metadata?.finalizers;
  const metadata: ObjectMeta = {
    ...name,
    namespace: cluster.metadata.namespace ?? "default",
    labels: { ...settings.defaultPodLabels, ...plan.labels },
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...(finalizers?.length && { finalizers: [...finalizers] }),
    ownerReferences: [controllerReference(cluster)],
  };
  return { apiVersion: "v1", kind: "Pod", metadata, spec };
}

function podAnnotations({ settings, annotations }: RayPodPlan): Record<string, string> {
  return { ...settings.defaultPodAnnotations, ...annotations };
}

function isTrue(annotation: string | undefined): boolean {
  return annotation?.toLowerCase() === "true";
}
