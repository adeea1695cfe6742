// Extracts the types of Kubernetes that our API embeds from Kubernetes' own OpenAPI documents into
// api/v1/generated/kubernetes-<version>.json. Needs Go; run by hand when the version changes:
//
//     node tools/generate-kubernetes-definitions.ts
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quantitySchema } from "../api/v1/schema.ts";
import { definitionsPath, kubernetesVersion } from "./kubernetes-definitions.ts";
import type { JsonSchema } from "./structural-schema.ts";

/** Documents that hold the types, and the types that are wanted; what these refer to follows. */
const documents = ["api__v1_openapi.json", "apis__networking.k8s.io__v1_openapi.json"];
const roots = [
  "io.k8s.api.core.v1.PodTemplateSpec",
  "io.k8s.api.core.v1.Service",
  "io.k8s.api.core.v1.EnvVar",
  "io.k8s.api.core.v1.EnvVarSource",
  "io.k8s.api.core.v1.EnvFromSource",
  "io.k8s.api.core.v1.VolumeMount",
  "io.k8s.api.core.v1.ResourceRequirements",
  "io.k8s.api.core.v1.SecurityContext",
  "io.k8s.api.networking.v1.IngressTLS",
  "io.k8s.api.networking.v1.NetworkPolicyIngressRule",
  "io.k8s.api.networking.v1.NetworkPolicyEgressRule",
];

/** Metadata inside an object is cut down to what a user can mean by it; the API server prunes the rest. */
const embeddedMetadata: JsonSchema = {
  type: "object",
  properties: {
    annotations: { type: "object", additionalProperties: { type: "string" } },
    finalizers: { type: "array", items: { type: "string" } },
    labels: { type: "object", additionalProperties: { type: "string" } },
    name: { type: "string" },
    namespace: { type: "string" },
  },
};

const replaced: Readonly<Record<string, JsonSchema>> = {
  "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": embeddedMetadata,
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": { type: "string", format: "date-time" },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": quantitySchema,
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
    anyOf: quantitySchema.anyOf,
    "x-kubernetes-int-or-string": true,
  },
};

/**
 * Defaults that Kubernetes declares by reference to a constant. KubeRay's CRDs lack them, and what a template says
 * must read back the same under both.
 */
const defaultsLeftOut = new Set(["AzureDiskVolumeSource.cachingMode", "AzureDiskVolumeSource.kind"]);

const keptKeywords = [
  "type",
  "format",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
] as const;

/** A schema of an OpenAPI v3 document, as far as it is read here. */
interface OpenApiSchema extends JsonSchema {
  allOf?: { $ref: string }[];
}

function main(): void {
  const source = readDocuments();
  const definitions: Record<string, JsonSchema> = {};
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name in definitions) continue;
    const schema = source[name];
    if (schema === undefined) throw new Error(`${name} is in none of ${documents.join(", ")}`);
    definitions[name] = replaced[name] ?? convert(schema, name.split(".").at(-1) ?? name, (ref) => pending.push(ref));
  }
  const sorted = Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(definitionsPath, `${JSON.stringify({ version: kubernetesVersion, definitions: sorted }, null, 1)}\n`);
  console.log(`${definitionsPath}: ${Object.keys(sorted).length} definitions of Kubernetes ${kubernetesVersion}`);
}

function readDocuments(): Record<string, OpenApiSchema> {
  const answer = execFileSync("go", ["mod", "download", "-json", `k8s.io/kubernetes@v${kubernetesVersion}`]);
  const { Dir: folder } = JSON.parse(answer.toString()) as { Dir: string };
  const schemas = documents.map((file) => {
    const text = readFileSync(join(folder, "api/openapi-spec/v3", file), "utf8");
    return (JSON.parse(text) as { components: { schemas: Record<string, OpenApiSchema> } }).components.schemas;
  });
  return Object.assign({}, ...schemas);
}

/** Keeps what a structural schema may say; `refer` is told every type referred to. `path` names the field. */
function convert(schema: OpenApiSchema, path: string, refer: (name: string) => void): JsonSchema {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (reference !== undefined) {
    const name = reference.slice(reference.lastIndexOf("/") + 1);
    refer(name);
    return { $ref: name };
  }
  const result: JsonSchema = {};
  for (const keyword of keptKeywords) if (keyword in schema) Object.assign(result, { [keyword]: schema[keyword] });
  if (schema.items !== undefined) result.items = convert(schema.items, `${path}[]`, refer);
  if (typeof schema.additionalProperties === "object") {
    result.additionalProperties = convert(schema.additionalProperties, `${path}{}`, refer);
  }
  if (schema.required !== undefined) result.required = schema.required;
  if (schema.properties !== undefined) result.properties = convertProperties(schema, path, refer);
  return result;
}

function convertProperties(schema: OpenApiSchema, path: string, refer: (name: string) => void) {
  const entries = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const converted = convert(property, `${path}.${name}`, refer);
    // The document also gives required fields their Go zero value as a default, which is no default.
    const isDefault = "default" in property && typeof property.default !== "object" && !schema.required?.includes(name);
    if (isDefault && !defaultsLeftOut.has(`${path}.${name}`)) converted.default = property.default;
    return [name, converted] as const;
  });
  return Object.fromEntries(entries);
}

main();
