// Building blocks of the API's schemas: TypeBox types that are also good structural schemas of a CRD. Build time
// only: the running operator imports nothing but types from the files that use this one.
import { type TUnsafe, Type } from "typebox";

interface FieldOptions {
  readonly description: string;
  readonly [keyword: string]: unknown;
}

/** A string that is one of `values`. (`Type.Enum` has no `type`, which a CRD needs.) */
export function OneOf<const Values extends readonly string[]>(values: Values, options: FieldOptions) {
  return Type.Unsafe<Values[number]>({ type: "string", enum: values, ...options });
}

/** A map of strings. */
export function StringMap(options: FieldOptions) {
  return Type.Unsafe<Record<string, string>>({
    type: "object",
    additionalProperties: { type: "string" },
    ...options,
  });
}

/** A whole number of 32 bits. */
export function Int32(options: FieldOptions) {
  return Type.Integer({ format: "int32", ...options });
}

/** A Kubernetes quantity: users may write a number, and the API server keeps it so. */
export function Quantity<Written extends string | number = string | number>(options: FieldOptions) {
  return Type.Unsafe<Written>({ ...quantitySchema, ...options });
}

/** The structural schema of a quantity, as it is everywhere in Kubernetes' own CRDs. */
export const quantitySchema = {
  anyOf: [{ type: "integer" }, { type: "string" }],
  pattern:
    "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
  "x-kubernetes-int-or-string": true,
} as const;

/** An RFC 3339 time as a string. */
export function Time(options: FieldOptions) {
  return Type.String({ format: "date-time", ...options });
}

/**
 * A type of Kubernetes itself, for example `io.k8s.api.core.v1.PodTemplateSpec`. The generators put the definition of
 * `api/kubernetes-*.json` in the place of the reference; `T` is its static type.
 */
export function Kubernetes<T>(definition: string, options: FieldOptions): TUnsafe<T> {
  return Type.Unsafe<T>({ $ref: definition, ...options });
}

/** A list of a type of Kubernetes itself. */
export function KubernetesList<T>(definition: string, options: FieldOptions): TUnsafe<T[]> {
  return Type.Unsafe<T[]>({ type: "array", items: { $ref: definition }, ...options });
}

/** A rule in the Common Expression Language, evaluated by the API server; `message` is what the user sees. */
export function celRules(...rules: { rule: string; message?: string }[]) {
  return { "x-kubernetes-validations": rules };
}

/** Keywords of a list that is a map keyed by the given fields. */
export function listMap(...keys: string[]) {
  return { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys };
}
