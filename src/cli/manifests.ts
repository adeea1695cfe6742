// Reads and writes manifests: YAML or JSON, several documents in one file, `-` for standard input.
import { readFileSync } from "node:fs";
import { type DocumentOptions, parseAllDocuments, type SchemaOptions, stringify } from "yaml";
import { UserError } from "./errors.ts";

/** One object of a manifest, as it was written: nothing is checked but that it is a map with a kind. */
export interface Manifest {
  /** The file's path as given, `-` for standard input. */
  readonly source: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** `namespace/name`, as far as they are given. */
  readonly name: string;
  readonly object: Record<string, unknown>;
}

/** All objects of the files, in order; `List`s are taken apart. Throws `UserError` for what cannot be read. */
export function readManifests(paths: readonly string[]): Manifest[] {
  return paths.flatMap((path) => parseManifests(readText(path), path));
}

function readText(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The objects of one text; see `readManifests`. */
export function parseManifests(text: string, source: string): Manifest[] {
  return parseAllDocuments(text, asKubectlReads).flatMap((document, index) => {
    const [problem] = document.errors;
    if (problem) throw new UserError(`${source}: ${problem.message.split("\n")[0]}`);
    const value: unknown = document.toJS();
    if (value === null || value === undefined) return [];
    return toManifests(value, source, index + 1);
  });
}

/** YAML 1.1 (`defaultMode: 0777` is octal, `yes` a boolean), without its dates and its numbers to the base of 60. */
const asKubectlReads: DocumentOptions & SchemaOptions = {
  version: "1.1",
  merge: true,
  customTags: (tags) => tags.filter((tag) => typeof tag === "string" || !isTime(tag)),
};

function isTime({ format, tag }: { readonly format?: string; readonly tag: string }): boolean {
  return format === "TIME" || tag.endsWith("timestamp");
}

function toManifests(value: unknown, source: string, position: number): Manifest[] {
  if (!isMap(value) || typeof value.kind !== "string" || typeof value.apiVersion !== "string") {
    throw new UserError(`${source}: document ${position} is no Kubernetes object: it needs apiVersion and kind`);
  }
  if (value.kind === "List" && Array.isArray(value.items)) {
    return value.items.flatMap((item) => toManifests(item, source, position));
  }
  const metadata = isMap(value.metadata) ? value.metadata : {};
  const parts = [metadata.namespace, metadata.name ?? metadata.generateName];
  const name = parts.filter((part) => typeof part === "string").join("/");
  return [{ source, apiVersion: value.apiVersion, kind: value.kind, name, object: value }];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Objects as YAML documents. Words that YAML 1.1 readers (kubectl) take for booleans are quoted. */
export function toYaml(objects: readonly object[]): string {
  return objects
    .map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth: 0, version: "1.1" }))
    .join("---\n");
}
