// The feature gates and what `--feature-gates` takes (operator.md section 4).

/** Every gate with its stage and default. Beta gates are on and alpha gates off unless set. */
const gates = {
  RayClusterStatusConditions: { enabled: true, stage: "beta" },
  RayJobDeletionPolicy: { enabled: true, stage: "beta" },
  RayMultiHostIndexing: { enabled: true, stage: "beta" },
  RayServiceIncrementalUpgrade: { enabled: true, stage: "beta" },
  RayCronJob: { enabled: false, stage: "alpha" },
  SidecarSubmitterRestart: { enabled: false, stage: "alpha" },
  RayClusterNetworkPolicy: { enabled: false, stage: "alpha" },
  GCSFaultToleranceEmbeddedStorage: { enabled: false, stage: "alpha" },
  RayClusterMTLS: { enabled: false, stage: "alpha" },
  RayClusterHistoryServer: { enabled: false, stage: "alpha" },
  KubernetesWAS: { enabled: false, stage: "alpha" },
} as const;

export type FeatureGate = keyof typeof gates;

/** Which gates are on. */
export type FeatureGates = Readonly<Record<FeatureGate, boolean>>;

/** All gate names, in the order of the reference's table. */
export const featureGateNames = Object.keys(gates) as FeatureGate[];

/** The gates as they are without `--feature-gates`. */
export const defaultFeatureGates: FeatureGates = mapGates((gate) => gates[gate].enabled);

/** What `parseFeatureGates` gives: the gates, or one sentence for the user. */
export type ParsedFeatureGates = { readonly gates: FeatureGates } | { readonly error: string };

/**
 * Reads the value of `--feature-gates`, for example `RayCronJob=true,AllBeta=false`. The groups `AllAlpha` and
 * `AllBeta` change every gate of their stage that is not named itself, wherever they stand in the list.
 */
export function parseFeatureGates(text: string): ParsedFeatureGates {
  const named = new Map<string, boolean>();
  for (const item of text.split(",").map((part) => part.trim())) {
    if (item === "") continue;
    const parsed = parseItem(item);
    if ("error" in parsed) return parsed;
    named.set(parsed.name, parsed.enabled);
  }
  return {
    gates: mapGates((gate) => named.get(gate) ?? named.get(groupOf(gate)) ?? gates[gate].enabled),
  };
}

function parseItem(item: string): { name: string; enabled: boolean } | { error: string } {
  const separator = item.indexOf("=");
  if (separator < 0) return { error: `missing bool value for feature gate ${item}` };
  const name = item.slice(0, separator).trim();
  const value = item.slice(separator + 1).trim();
  if (!Object.hasOwn(gates, name) && name !== "AllAlpha" && name !== "AllBeta") {
    return { error: `unrecognized feature gate: ${name}` };
  }
  const enabled = booleans.get(value);
  return enabled === undefined
    ? { error: `invalid value of ${name}=${value}: not a boolean (use true or false)` }
    : { name, enabled };
}

function groupOf(gate: FeatureGate): string {
  return gates[gate].stage === "alpha" ? "AllAlpha" : "AllBeta";
}

function mapGates(enabled: (gate: FeatureGate) => boolean): FeatureGates {
  return Object.fromEntries(featureGateNames.map((gate) => [gate, enabled(gate)])) as Record<FeatureGate, boolean>;
}

/** The spellings that Go's `strconv.ParseBool` takes. */
const booleans = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
]);
