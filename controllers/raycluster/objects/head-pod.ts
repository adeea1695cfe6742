// The head pod (objects.md 5.1).
import type { Container, Pod, PodSpec } from "../../../api/v1/kubernetes.ts";
import { Annotation, EnvName, NodeType } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { addTokenAuth, addTokenVolume } from "../../shared/authentication.ts";
import { autoscalerContainer, autoscalerVersion } from "../../shared/autoscaler-container.ts";
import { appendEnv } from "../../shared/environment.ts";
import { addHeadFaultTolerance, headFtAnnotations } from "../../shared/gcs-fault-tolerance.ts";
import { headPodLabels } from "../../shared/labels.ts";
import { autoscalerServiceAccountName, headPodPrefix, headServiceHost } from "../../shared/names.ts";
import {
  addMetricsPort,
  copyTemplate,
  finishRayContainers,
  type RayPodPlan,
  rayPod,
  templateAnnotations,
} from "../../shared/ray-pod.ts";
import { headStartParams } from "../../shared/ray-start.ts";
import type { Settings } from "../../shared/settings.ts";
import { specHash } from "../../shared/spec-hash.ts";

/** What the builder cannot know: the name that was drawn for the pod (`drawHeadPodName`). */
export interface HeadIdentity {
  readonly name: string;
}

/** The head pod to create, with what later tells whether the cluster's spec has changed since. */
export function buildHeadPod(cluster: RayCluster, settings: Settings, identity: HeadIdentity): Pod {
  const pod = describeHeadPod(cluster, settings, identity);
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [Annotation.upgradeStrategyRecreateHash]: specHash(cluster.spec),
    [Annotation.operatorVersion]: settings.operatorVersion,
  };
  return pod;
}

/** The head pod without those two annotations: the job that cleans Redis is made from it as well. */
export function describeHeadPod(cluster: RayCluster, settings: Settings, identity: HeadIdentity): Pod {
  const { template } = cluster.spec.headGroupSpec;
  const { spec, rayContainer } = copyTemplate(template);
  const plan: RayPodPlan = {
    cluster,
    settings,
    nodeType: NodeType.head,
    headHost: headServiceHost(cluster, settings),
    params: headStartParams(cluster, rayContainer),
    labels: headPodLabels(cluster),
    annotations: { ...templateAnnotations(cluster, template), ...headFtAnnotations(cluster) },
  };
  const autoscaler = addAutoscaler(cluster, settings, spec, rayContainer);
  addHeadFaultTolerance(cluster, spec, rayContainer);
  addMetricsPort(rayContainer);
  addTokenAuth(cluster, rayContainer);
  addTokenVolume(cluster, spec);
  finishRayContainers(plan, spec, rayContainer, autoscaler);
  const prefix = settings.enableDeterministicHeadPodName ? {} : { generateName: headPodPrefix(cluster) };
  return rayPod(plan, { name: identity.name, ...prefix }, template, spec);
}

function addAutoscaler(
  cluster: RayCluster,
  settings: Settings,
  spec: PodSpec,
  rayContainer: Container,
): Container | undefined {
  if (cluster.spec.enableInTreeAutoscaling !== true) return undefined;
  const container = autoscalerContainer(cluster, settings, rayContainer);
  spec.serviceAccountName = autoscalerServiceAccountName(cluster);
  spec.containers.push(container);
  const version = autoscalerVersion(cluster);
  if (version !== undefined) {
    appendEnv(rayContainer, [{ name: EnvName.RAY_enable_autoscaler_v2, value: String(version === "v2") }]);
  }
  // Version 2 knows an instance by its pod's name: a container restarted in place would be a second Ray node under it.
  if (version === "v2") spec.restartPolicy = "Never";
  return container;
}
