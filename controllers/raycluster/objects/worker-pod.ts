// A worker pod (objects.md 5.2).
import type { Pod } from "../../../api/v1/kubernetes.ts";
import { NodeType } from "../../../api/v1/labels.ts";
import type { RayCluster, WorkerGroupSpec } from "../../../api/v1/raycluster.ts";
import { addTokenAuth, addTokenVolume } from "../../shared/authentication.ts";
import { usesAutoscalerV2 } from "../../shared/autoscaler-container.ts";
import { addWorkerFaultTolerance } from "../../shared/gcs-fault-tolerance.ts";
import { waitGcsReady } from "../../shared/init-containers.ts";
import { type WorkerIndex, workerPodLabels } from "../../shared/labels.ts";
import { headServiceHost, workerPodPrefix } from "../../shared/names.ts";
import {
  addMetricsPort,
  copyTemplate,
  finishRayContainers,
  type RayPodPlan,
  rayPod,
  templateAnnotations,
} from "../../shared/ray-pod.ts";
import { workerStartParams } from "../../shared/ray-start.ts";
import type { Settings } from "../../shared/settings.ts";

/** What the builder cannot know: the name that was drawn for the pod (`drawWorkerPodName`), and its place. */
export interface WorkerIdentity extends WorkerIndex {
  readonly name: string;
}

/** A pod of a worker group. A name in the template does not count, because all replicas share the template. */
export function buildWorkerPod(
  cluster: RayCluster,
  group: WorkerGroupSpec,
  settings: Settings,
  identity: WorkerIdentity,
): Pod {
  const { template } = group;
  const { spec, rayContainer } = copyTemplate(template);
  const headHost = headServiceHost(cluster, settings);
  const plan: RayPodPlan = {
    cluster,
    settings,
    nodeType: NodeType.worker,
    headHost,
    params: workerStartParams(cluster, group, headHost, rayContainer),
    labels: workerPodLabels(cluster, group, identity, settings.featureGates.RayMultiHostIndexing),
    annotations: templateAnnotations(cluster, template),
  };
  if (settings.enableInitContainerInjection) {
    // Made before anything is added to the Ray container: it gets what the user wrote, and no more.
    spec.initContainers = [...(spec.initContainers ?? []), waitGcsReady(cluster, settings, headHost, rayContainer)];
  }
  addWorkerFaultTolerance(cluster, rayContainer);
  addMetricsPort(rayContainer);
  // As for the head: version 2 of the autoscaler wants a pod to be one Ray node, once.
  if (usesAutoscalerV2(cluster)) spec.restartPolicy = "Never";
  addTokenAuth(cluster, rayContainer);
  addTokenVolume(cluster, spec);
  finishRayContainers(plan, spec, rayContainer);
  const generateName = workerPodPrefix(cluster, group.groupName);
  return rayPod(plan, { name: identity.name, generateName }, template, spec);
}
