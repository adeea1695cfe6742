// The types of Kubernetes that our API embeds, as structural schemas that may refer to each other by name.
import { readFileSync } from "node:fs";
import type { JsonSchema } from "./structural-schema.ts";

/** The line of Kubernetes that the embedded types are taken from, also where the API server is older. */
export const kubernetesVersion = "1.36.0";

export const definitionsPath = new URL(`../api/v1/generated/kubernetes-${kubernetesVersion}.json`, import.meta.url)
  .pathname;

/** Definitions by name, for example `io.k8s.api.core.v1.Container`; each `$ref` is such a name. */
export function readKubernetesDefinitions(): Readonly<Record<string, JsonSchema>> {
  return (JSON.parse(readFileSync(definitionsPath, "utf8")) as { definitions: Record<string, JsonSchema> }).definitions;
}
