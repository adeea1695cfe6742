// config/manager: the operator's Deployment and the Service of its metrics. Names, labels and ports are KubeRay's.
import { ApiObject, type Chart } from "cdk8s";
import { operatorName } from "./rbac.ts";

/** Replaced by kustomize: `kustomize edit set image ray-operator=REGISTRY/NAME:TAG`. */
export const imageName = "ray-operator";

const labels = { "app.kubernetes.io/name": "kuberay", "app.kubernetes.io/component": "kuberay-operator" };

/** Every file of the folder by its name. */
export const managerFiles: Readonly<Record<string, (chart: Chart) => void>> = {
  "manager.yaml": (chart) => {
    new ApiObject(chart, "deployment", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: operatorName, labels },
      spec: {
        replicas: 1,
        // A new operator waits for the lease with warm caches, and takes over when the old one releases it.
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec },
      },
    } as ConstructorParameters<typeof ApiObject>[2]);
  },
  "service.yaml": (chart) => {
    new ApiObject(chart, "service", {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: operatorName,
        labels,
        annotations: {
          "prometheus.io/path": "/metrics",
          "prometheus.io/scrape": "true",
          "prometheus.io/port": "8080",
        },
      },
      spec: {
        type: "ClusterIP",
        selector: labels,
        ports: [{ name: "monitoring-port", port: 8080, targetPort: 8080 }],
      },
    } as ConstructorParameters<typeof ApiObject>[2]);
  },
};

const podSpec = {
  serviceAccountName: operatorName,
  // Longer than --shutdown-timeout: running reconciles end, and the lease is released.
  terminationGracePeriodSeconds: 40,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    seccompProfile: { type: "RuntimeDefault" },
  },
  containers: [
    {
      name: operatorName,
      image: imageName,
      imagePullPolicy: "IfNotPresent",
      command: ["/manager"],
      ports: [
        { name: "http", containerPort: 8080, protocol: "TCP" },
        { name: "health", containerPort: 8082, protocol: "TCP" },
      ],
      livenessProbe: { httpGet: { path: "/healthz", port: "health" }, initialDelaySeconds: 5, periodSeconds: 10 },
      readinessProbe: { httpGet: { path: "/readyz", port: "health" }, periodSeconds: 5 },
      // No CPU limit: a throttled Node misses its lease. Memory by measurement: docs/performance.md.
      resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "512Mi" } },
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
        readOnlyRootFilesystem: true,
        seccompProfile: { type: "RuntimeDefault" },
      },
    },
  ],
};
