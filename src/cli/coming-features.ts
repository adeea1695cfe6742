// Settings that are accepted, because KubeRay's command lines carry them, although nothing here acts on them yet.
import type { FeatureGate } from "../../api/v1/feature-gates.ts";
import type { Environment } from "../../controllers/shared/settings.ts";
import type { OperatorOptions } from "./options.ts";

const gatesToCome: Readonly<Partial<Record<FeatureGate, string>>> = {
  RayCronJob: "RayCronJobs are not reconciled",
  SidecarSubmitterRestart: "RayJobs are not reconciled",
  RayClusterNetworkPolicy: "no NetworkPolicy is made",
  GCSFaultToleranceEmbeddedStorage: "no storage for the GCS is made",
  RayClusterMTLS: "no certificates are requested",
  RayClusterHistoryServer: "no collector is added to pods",
  KubernetesWAS: "pods are not gang-scheduled",
};

/** One sentence for each setting that is on and not acted on by this version. */
export function comingFeatures(options: OperatorOptions, environment: Environment): string[] {
  const gates = Object.entries(gatesToCome).filter(([gate]) => options.featureGates[gate as FeatureGate]);
  return [
    ...gates.map(
      ([gate, consequence]) => `feature gate ${gate} is accepted, but this version lacks it: ${consequence}`,
    ),
    ...(options.batchScheduler === undefined
      ? []
      : [
          `batch scheduler ${options.batchScheduler} is accepted, but this version lacks it: pods are not gang-scheduled`,
        ]),
    ...(options.useKubernetesProxy
      ? ["use-kubernetes-proxy is accepted, but has no effect: this version never calls Ray itself"]
      : []),
    ...(environment.ENABLE_WEBHOOKS === "true"
      ? ["ENABLE_WEBHOOKS is accepted, but this version has no webhooks: specs are checked by schema and reconciler"]
      : []),
  ];
}
