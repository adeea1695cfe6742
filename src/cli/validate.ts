// `ray-operator validate`: schema and rules, without a cluster.
import type { Writable } from "node:stream";
import type { FeatureGates } from "../../api/v1/feature-gates.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import type { FieldError } from "../../api/v1/validation/field-error.ts";
import {
  validateRayClusterMetadata,
  validateRayClusterSpec,
  validateRayClusterUpgrade,
} from "../../api/v1/validation/raycluster.ts";
import { validateRayClusterSchema, withRayClusterDefaults } from "../../api/v1/validation/schema.ts";
import { type Manifest, readManifests } from "./manifests.ts";
import { gatesOf, isRayCluster } from "./ray-manifests.ts";
import { painter } from "./terminal.ts";

export interface ValidateOptions {
  readonly filename: readonly string[];
  readonly featureGates?: string;
  readonly allowUnknownFields?: boolean;
}

/** Prints one line an object, or one line an error with its field; 1 if anything is wrong. */
export function validate(options: ValidateOptions, out: Writable): number {
  const gates = gatesOf(options.featureGates);
  const paint = painter(out);
  let wrong = 0;
  for (const manifest of readManifests(options.filename)) {
    const subject = `${manifest.source}: ${manifest.kind} ${manifest.name}`;
    if (!isRayCluster(manifest)) {
      out.write(`${subject}: ${paint("grey", "not checked")}\n`);
      continue;
    }
    const errors = errorsOf(manifest, gates, options.allowUnknownFields ? "ignore" : "refuse");
    wrong += errors.length;
    for (const { field, message } of errors) out.write(`${subject}: ${paint("red", field)}: ${message}\n`);
    if (errors.length === 0) out.write(`${subject}: ${paint("green", "valid")}\n`);
  }
  return wrong === 0 ? 0 : 1;
}

/** Everything that is wrong with a RayCluster; the rules are only asked about what has the right form. */
export function errorsOf({ object }: Manifest, gates: FeatureGates, unknownFields: "ignore" | "refuse"): FieldError[] {
  const errors = validateRayClusterSchema(object, { unknownFields });
  if (errors.length > 0) return errors;
  const cluster = withRayClusterDefaults(object as unknown as RayCluster);
  return [
    ...validateRayClusterMetadata(cluster),
    ...validateRayClusterSpec(cluster, gates),
    ...validateRayClusterUpgrade(cluster),
  ];
}
