// What the commands about manifests share: settings, and RayClusters with the API's defaults filled in.
import { type FeatureGates, parseFeatureGates } from "../../api/v1/feature-gates.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { validateRayClusterSchema, withRayClusterDefaults } from "../../api/v1/validation/schema.ts";
import { defaultSettings, type Settings, settingsFromEnvironment } from "../../controllers/shared/settings.ts";
import { UserError } from "./errors.ts";
import type { Manifest } from "./manifests.ts";

/** The gates of `--feature-gates`. Throws `UserError` for a text that names no gate. */
export function gatesOf(text: string | undefined): FeatureGates {
  const parsed = parseFeatureGates(text ?? "");
  if ("error" in parsed) throw new UserError(`--feature-gates: ${parsed.error}`, 2);
  return parsed.gates;
}

/** The operator's settings as they would be with this environment and these gates. */
export function settingsOf(gates: string | undefined): Settings {
  return defaultSettings({ ...settingsFromEnvironment(process.env), featureGates: gatesOf(gates) });
}

export function isRayCluster({ apiVersion, kind }: Manifest): boolean {
  return kind === "RayCluster" && apiVersion.startsWith("ray.io/");
}

/**
 * The RayCluster of a manifest with the API's defaults filled in. Throws `UserError` with the first thing that is
 * wrong with its form.
 */
export function clusterOf(manifest: Manifest, namespace = "default"): RayCluster {
  const [error] = validateRayClusterSchema(manifest.object);
  if (error) throw new UserError(`${manifest.source}: RayCluster ${manifest.name}: ${error.field}: ${error.message}`);
  // It has just been checked to be one.
  const cluster = withRayClusterDefaults(manifest.object as unknown as RayCluster);
  return { ...cluster, metadata: { ...cluster.metadata, namespace: cluster.metadata.namespace ?? namespace } };
}
