// What a Kubernetes 1.34 API server fills in when it stores pods and services, and what the recordings of
// ../shared/conformance leave out again (its README, "Normalised"). Both sides of a comparison end up in that form.
import { canonicalQuantity } from "../../../controllers/shared/quantity.ts";

// biome-ignore lint/suspicious/noExplicitAny: recordings have any shape
export type Json = Record<string, any>;

/** An object of ours as the recorder would show it after the API server stored it. */
export function asRecorded(object: Json): Json {
  const copy: Json = structuredClone(object);
  copy.metadata = withoutEmpty({
    ...copy.metadata,
    namespace: undefined,
    ownerReferences: copy.metadata.ownerReferences?.map(({ uid: _, ...rest }: Json) => rest),
  });
  if (copy.kind === "Pod") copy.spec = podSpec(copy.spec);
  if (copy.kind === "Service") copy.spec = serviceSpec(copy.spec);
  if (copy.kind === "PersistentVolumeClaim") {
    copy.metadata.finalizers = ["kubernetes.io/pvc-protection"];
    copy.spec.volumeMode = "Filesystem";
  }
  if (copy.kind === "Secret") secretData(copy);
  if (copy.kind === "Job") copy.spec = jobSpec(copy.spec);
  return masked(copy) as Json;
}

function podSpec(spec: Json): Json {
  const containers = (list: Json[] | undefined) => list?.map((item) => container(item, spec.hostNetwork));
  const result = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    ...spec,
    containers: containers(spec.containers),
    initContainers: containers(spec.initContainers),
    volumes: spec.volumes?.map(volume),
  };
  const dropped: Json = {
    schedulerName: "default-scheduler",
    preemptionPolicy: "PreemptLowerPriority",
    priority: 0,
    enableServiceLinks: true,
    dnsPolicy: "ClusterFirst",
    serviceAccountName: "default",
  };
  for (const key of Object.keys(dropped)) if ((result as Json)[key] === dropped[key]) delete (result as Json)[key];
  if (JSON.stringify((result as Json).securityContext) === "{}") delete (result as Json).securityContext;
  return withoutEmpty(result);
}

function container(users: Json, hostNetwork: boolean): Json {
  const requests = { ...users.resources?.limits, ...users.resources?.requests };
  return withoutEmpty(
    {
      imagePullPolicy: /:[^/]+$/.test(users.image) && !/:latest$/.test(users.image) ? "IfNotPresent" : "Always",
      ...users,
      resources: withoutEmpty({
        ...users.resources,
        limits: users.resources?.limits && quantities(users.resources.limits),
        requests: Object.keys(requests).length > 0 ? quantities(requests) : undefined,
      }),
      ports: users.ports?.map((port: Json) => ({
        protocol: "TCP",
        ...port,
        ...(hostNetwork && { hostPort: port.containerPort }),
      })),
      env: users.env?.map(variable),
      volumeMounts: users.volumeMounts ?? [],
      livenessProbe: probe(users.livenessProbe),
      readinessProbe: probe(users.readinessProbe),
      startupProbe: probe(users.startupProbe),
      lifecycle: users.lifecycle && JSON.parse(JSON.stringify(users.lifecycle)),
      terminationMessagePath: undefined,
      terminationMessagePolicy: undefined,
    },
    ["volumeMounts", "resources", "securityContext"],
  );
}

function probe(users: Json | undefined): Json | undefined {
  if (!users) return undefined;
  return {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
    ...users,
    ...(users.httpGet && { httpGet: { path: "/", scheme: "HTTP", ...users.httpGet } }),
  };
}

function variable(users: Json): Json {
  const source = users.valueFrom;
  return withoutEmpty({
    ...users,
    value: users.value || undefined,
    valueFrom: source?.fieldRef
      ? { fieldRef: { apiVersion: "v1", ...source.fieldRef } }
      : source?.resourceFieldRef
        ? { resourceFieldRef: { divisor: "0", ...source.resourceFieldRef } }
        : source,
  });
}

function volume(users: Json): Json {
  const result = structuredClone(users);
  for (const source of ["configMap", "secret", "projected"]) {
    if (result[source]) result[source] = { defaultMode: 420, ...result[source] };
  }
  if (result.emptyDir?.sizeLimit) result.emptyDir.sizeLimit = canonicalQuantity(result.emptyDir.sizeLimit);
  if (result.hostPath) result.hostPath = { type: "", ...result.hostPath };
  for (const source of result.projected?.sources ?? []) {
    if (source.serviceAccountToken)
      source.serviceAccountToken = { expirationSeconds: 3600, ...source.serviceAccountToken };
  }
  return result;
}

function serviceSpec(spec: Json): Json {
  const type = spec.type || "ClusterIP";
  const external = type === "NodePort" || type === "LoadBalancer";
  const dropped = ["clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy", "sessionAffinity"];
  const kept = Object.fromEntries(Object.entries(spec).filter(([key]) => !dropped.includes(key)));
  return {
    ...(external && { externalTrafficPolicy: "Cluster" }),
    ...(type === "LoadBalancer" && { allocateLoadBalancerNodePorts: true }),
    ...kept,
    type,
    ports: (spec.ports ?? []).map((port: Json) => ({
      protocol: "TCP",
      targetPort: port.port,
      ...port,
      ...(external && { nodePort: "<port>" }),
    })),
  };
}

function secretData(secret: Json): void {
  const entries = Object.entries((secret.stringData ?? {}) as Record<string, string>);
  secret.data = Object.fromEntries(entries.map(([key, text]) => [key, `<${Buffer.byteLength(text)} bytes>`]));
  secret.type = "Opaque";
  delete secret.stringData;
}

function jobSpec(spec: Json): Json {
  return {
    completionMode: "NonIndexed",
    completions: 1,
    manualSelector: false,
    parallelism: 1,
    podReplacementPolicy: "TerminatingOrFailed",
    suspend: false,
    ...spec,
    template: { ...spec.template, spec: podSpec(spec.template.spec) },
  };
}

/** The recorder hides hashes and versions behind their keys, and UIDs. */
function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value === "string") return value.replace(/kuberay_version=[^;]*/, "kuberay_version=<version>");
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (/hash/i.test(key) && typeof item === "string" && item) return [key, "<hash>"];
    return [key, key === "ray.io/kuberay-version" ? "<version>" : masked(item)];
  });
  return Object.fromEntries(entries);
}

function quantities(resources: Json): Json {
  return Object.fromEntries(Object.entries(resources).map(([name, text]) => [name, canonicalQuantity(text)]));
}

function withoutEmpty(object: Json, keep: string[] = []): Json {
  const isEmpty = (value: unknown) =>
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.length === 0) ||
    (typeof value === "object" && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(object).filter(([key, value]) => keep.includes(key) || !isEmpty(value)));
}
