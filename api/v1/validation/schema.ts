// Checks objects against their schema, with the API server's verdict. Loading this file takes about 20 ms and 4 MB (the
// schemas as code), so import it only where objects come in that no API server has checked:
//
//     const { validateRayClusterSchema } = await import("../api/v1/validation/schema.ts");
import { type SchemaError, type Validator, validateRayCluster } from "../generated/validators.mjs";
import type { RayCluster } from "../raycluster.ts";
import type { FieldError } from "./field-error.ts";
import { validateManagedBy } from "./raycluster.ts";

export interface SchemaOptions {
  /** Whether a field that the schema does not know is an error, as under `kubectl`'s strict validation. Default: no. */
  readonly unknownFields?: "ignore" | "refuse";
}

/** Everything about `value` that the API server would refuse in a RayCluster of ray.io/v1. `value` is not changed. */
export function validateRayClusterSchema(value: unknown, options: SchemaOptions = {}): FieldError[] {
  const { errors, completed } = check(validateRayCluster, value, options);
  if (errors.length > 0) return errors;
  // The rules in the Common Expression Language run only on what has the right types.
  return validateManagedBy((completed as RayCluster).spec);
}

/**
 * A copy as the API server would store it: defaults filled in and nulls dropped. For objects that pass
 * `validateRayClusterSchema`; of others the parts that are right are completed.
 */
export function withRayClusterDefaults(cluster: RayCluster): RayCluster {
  return check(validateRayCluster, cluster, {}).completed as RayCluster;
}

function check(validator: Validator, value: unknown, { unknownFields = "ignore" }: SchemaOptions) {
  const unknown = unknownFields === "refuse" ? unknownFieldErrors(validator, value) : [];
  const completed = withoutNulls(value);
  const wrong = run(validator, completed)
    .filter(({ keyword }) => keyword !== "additionalProperties")
    // Of "a whole number or a string" only the whole is told.
    .filter(({ schemaPath }) => !schemaPath.includes("/anyOf/"));
  return { errors: [...unknown, ...wrong.map((error) => describe(error, completed))], completed };
}

/** Unknown fields, also where they are null. */
function unknownFieldErrors(validator: Validator, value: unknown): FieldError[] {
  const errors = run(validator, structuredClone(value)).filter(({ keyword }) => keyword === "additionalProperties");
  return errors.map((error) => describe(error, value));
}

function run(validator: Validator, value: unknown): SchemaError[] {
  return validator(value) ? [] : (validator.errors ?? []);
}

/** The API server drops nulls of fields that may not be null, before anything else. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([name, field]) => [name, withoutNulls(field)]));
}

function describe({ instancePath, keyword, params }: SchemaError, root: unknown): FieldError {
  const steps = instancePath.split("/").slice(1).map(unescapePointer);
  const value = valueAt(root, steps);
  const at = (...more: string[]) => fieldPath([...steps, ...more], root);
  switch (keyword) {
    case "required":
      return { field: at(String(params.missingProperty)), message: "Required value" };
    case "additionalProperties":
      return { field: at(String(params.additionalProperty)), message: "unknown field" };
    case "enum": {
      const allowed = (params.allowedValues as unknown[]).map((item) => JSON.stringify(item)).join(", ");
      return { field: at(), message: `Unsupported value: ${show(value)}: supported values: ${allowed}` };
    }
    case "x-kubernetes-list-map-keys":
    case "uniqueItems": {
      const index = String(params.index ?? params.i);
      return { field: at(index), message: `Duplicate value: ${show(valueAt(root, [...steps, index]))}` };
    }
    default:
      return { field: at(), message: `Invalid value: ${show(value)}: ${expectation(keyword, params, value)}` };
  }
}

function expectation(keyword: string, params: Record<string, unknown>, value: unknown): string {
  switch (keyword) {
    case "type":
      return `must be of type ${params.type}, not ${typeName(value)}`;
    case "anyOf":
      return `must be of type integer or string, not ${typeName(value)}`;
    case "pattern":
      return String(params.pattern).includes("[KMGTPE]i")
        ? "must be a quantity such as 2, 500m or 4Gi"
        : `must match '${params.pattern}'`;
    default:
      return `does not satisfy ${keyword}`;
  }
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  return Number.isInteger(value) ? "integer" : typeof value;
}

/** A value in a message: short enough to read. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** `spec.workerGroupSpecs[0].groupName`; keys that are no plain word are bracketed: `labels[ray.io/x]`. */
function fieldPath(steps: readonly string[], root: unknown): string {
  let path = "";
  let parent = root;
  for (const step of steps) {
    const plain = !Array.isArray(parent) && /^[A-Za-z0-9_-]+$/.test(step);
    path += plain ? `${path === "" ? "" : "."}${step}` : `[${step}]`;
    parent = (parent as Record<string, unknown> | undefined)?.[step];
  }
  return path;
}

function valueAt(root: unknown, steps: readonly string[]): unknown {
  return steps.reduce((value, step) => (value as Record<string, unknown> | undefined)?.[step], root);
}

function unescapePointer(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}
