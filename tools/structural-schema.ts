// Turns the API's TypeBox schemas into structural schemas, the subset of OpenAPI that a CRD may use.

/** A JSON schema, as far as the generators look into it. */
export interface JsonSchema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: readonly unknown[];
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  minLength?: number;
  maxLength?: number;
  required?: readonly string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: readonly JsonSchema[];
  $ref?: string;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: readonly string[];
  "x-kubernetes-map-type"?: string;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-validations"?: readonly { rule: string; message?: string }[];
}

/** A TypeBox schema as plain JSON. */
export function plain(schema: object): JsonSchema {
  return JSON.parse(JSON.stringify(schema)) as JsonSchema;
}

/** Gives the schema that a `$ref` names. */
export type Resolve = (name: string) => JsonSchema;

/** Resolves references in a table of definitions. */
export function resolver(definitions: Readonly<Record<string, JsonSchema>>): Resolve {
  return (name) => {
    const schema = definitions[name];
    if (schema === undefined) throw new Error(`unknown reference ${name}`);
    return schema;
  };
}

/**
 * A copy with every `$ref` replaced by what it names (keywords beside the reference win) and all other keywords as they
 * are. A CRD has no references.
 */
export function inline(schema: JsonSchema, resolve: Resolve): JsonSchema {
  const { $ref, ...rest } = schema;
  const merged: JsonSchema = $ref === undefined ? rest : { ...resolve($ref), ...rest };
  const result: JsonSchema = merged.$ref === undefined ? { ...merged } : inline(merged, resolve);
  if (result.items !== undefined) result.items = inline(result.items, resolve);
  if (typeof result.additionalProperties === "object") {
    result.additionalProperties = inline(result.additionalProperties, resolve);
  }
  if (result.properties !== undefined) {
    result.properties = mapValues(result.properties, (property) => inline(property, resolve));
  }
  return result;
}

/** The same keys with changed values. */
export function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T, key: string) => U) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
