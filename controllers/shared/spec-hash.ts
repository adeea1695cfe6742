// A fingerprint of a RayCluster's spec without what changes in the life of a cluster (objects.md section 26). It is the
// same string that KubeRay computes, so that clusters move between the two without being recreated.
import { createHash } from "node:crypto";
import type { PodTemplateSpec } from "../../api/v1/kubernetes.ts";
import type { RayClusterSpec, WorkerGroupSpec } from "../../api/v1/raycluster.ts";
import { goFields } from "./generated/go-fields.ts";
import { type GoTypes, goEncode } from "./go-encode.ts";

/** SHA-1 of the spec's canonical JSON, in base 32: 32 characters of `0-9A-V`. */
export function specHash(spec: RayClusterSpec): string {
  return base32Hex(createHash("sha1").update(canonicalSpec(spec)).digest());
}

/** The JSON that is hashed: muted fields taken away, defaults of the API filled in, in the order of Go's structs. */
export function canonicalSpec(spec: RayClusterSpec): string {
  const { upgradeStrategy: _, headGroupSpec, workerGroupSpecs, ...rest } = spec;
  return goEncode(types, "RayClusterSpec", {
    ...rest,
    headGroupSpec: {
      ...headGroupSpec,
      rayStartParams: headGroupSpec.rayStartParams ?? {},
      template: withoutInjectedFields(headGroupSpec.template),
      ...(headGroupSpec.headService && { headService: withPortDefaults(headGroupSpec.headService) }),
    },
    workerGroupSpecs: workerGroupSpecs?.map(withoutScale),
  });
}

/** Scaling is not a change of the cluster: not by a user, and not by the autoscaler. */
function withoutScale(group: WorkerGroupSpec) {
  const { replicas: _replicas, minReplicas: _min, maxReplicas: _max, scaleStrategy: _strategy, ...rest } = group;
  return {
    priority: 0,
    numOfHosts: 1,
    rayStartParams: {},
    ...rest,
    template: withoutInjectedFields(group.template),
  };
}

/** Kueue and others write these two into a template after it was created. */
function withoutInjectedFields(template: PodTemplateSpec): PodTemplateSpec {
  if (!template.spec) return template;
  const { tolerations: _tolerations, schedulingGates: _gates, ...spec } = template.spec;
  const withDefaults = <T extends { ports?: { protocol?: string }[] }>(container: T): T =>
    container.ports ? { ...container, ports: tcpByDefault(container.ports) } : container;
  return {
    ...template,
    spec: {
      ...spec,
      containers: spec.containers.map(withDefaults),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(withDefaults) }),
    },
  };
}

function withPortDefaults<T extends { spec?: { ports?: { protocol?: string }[] } }>(service: T): T {
  return service.spec?.ports
    ? { ...service, spec: { ...service.spec, ports: tcpByDefault(service.spec.ports) } }
    : service;
}

function tcpByDefault<T extends { protocol?: string }>(ports: readonly T[]): T[] {
  return ports.map((port) => ({ protocol: "TCP", ...port }));
}

/** KubeRay's own structs, in the notation of generated/go-fields.ts. */
const types: GoTypes = {
  ...goFields,
  RayClusterSpec:
    "upgradeStrategy:?*UpgradeStrategy authOptions:?*AuthOptions suspend:?*boolean managedBy:?*string autoscalerOptions:?*AutoscalerOptions headServiceAnnotations:?{}string enableInTreeAutoscaling:?*boolean gcsFaultToleranceOptions:?*GcsFaultToleranceOptions historyServerOptions:?*HistoryServerOptions networkPolicy:?*NetworkPolicyOptions tlsOptions:?*TlsOptions headGroupSpec:HeadGroupSpec rayVersion:?string workerGroupSpecs:?[]WorkerGroupSpec",
  HeadGroupSpec:
    "template:PodTemplateSpec headService:?*Service enableIngress:?*boolean ingressOptions:?*IngressOptions resources:?{}string labels:?{}string rayStartParams:{}string serviceType:?string",
  WorkerGroupSpec:
    "suspend:?*boolean groupName:string replicas:?*number minReplicas:*number maxReplicas:*number idleTimeoutSeconds:?*number priority:?*number resources:?{}string labels:?{}string rayStartParams:{}string template:PodTemplateSpec scaleStrategy:?ScaleStrategy numOfHosts:?number",
  ScaleStrategy: "workersToDelete:?[]string",
  UpgradeStrategy: "type:?*string",
  AuthOptions: "enableK8sTokenAuth:?*boolean secretName:?*string mode:?string",
  AutoscalerOptions:
    "resources:?*ResourceRequirements image:?*string imagePullPolicy:?*string securityContext:?*SecurityContext idleTimeoutSeconds:?*number upscalingMode:?*string version:?*string env:?[]EnvVar envFrom:?[]EnvFromSource volumeMounts:?[]VolumeMount command:?[]string args:?[]string",
  GcsFaultToleranceOptions:
    "backend:?string redisUsername:?*RedisCredential redisPassword:?*RedisCredential externalStorageNamespace:?string redisAddress:?string storage:?*GcsStorage",
  RedisCredential: "value:?string valueFrom:?*EnvVarSource",
  GcsStorage:
    "claimName:?string size:?*quantity storageClassName:?*string accessModes:?[]string subPath:?string deletionPolicy:?*string",
  HistoryServerOptions: "collectorOptions:?*CollectorOptions",
  CollectorOptions: "image:?*string imagePullPolicy:?*string resources:?*ResourceRequirements env:?[]EnvVar",
  NetworkPolicyOptions:
    "mode:?*string head:?*NetworkPolicyRules worker:?*NetworkPolicyRules workerGroups:?[]NetworkPolicyGroup",
  NetworkPolicyRules: "ingressRules:?[]NetworkPolicyIngressRule egressRules:?[]NetworkPolicyEgressRule",
  NetworkPolicyGroup:
    "groupName:string ingressRules:?[]NetworkPolicyIngressRule egressRules:?[]NetworkPolicyEgressRule",
  IngressOptions: "host:?*string path:?*string pathType:?*string tls:?[]IngressTLS",
  TlsOptions: "enabled:?*boolean",
};

const BASE32_HEX = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/** Five bits a character (RFC 4648, extended hex alphabet); 20 bytes need no padding. */
function base32Hex(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32_HEX[Number.parseInt(five, 2)]).join("");
}
