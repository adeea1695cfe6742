// Where the API server serves a resource.
import type { ObjectReference, ResourceType } from "./types.ts";

/** The path of a collection: of one namespace, or of all when none is given. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.apiVersion.includes("/") ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  return type.namespaced && namespace
    ? `${root}/namespaces/${encodeURIComponent(namespace)}/${type.plural}`
    : `${root}/${type.plural}`;
}

/** The path of one object, or of a subresource of it such as `status`. */
export function objectPath(reference: ObjectReference, subresource?: string): string {
  // Names come from users' objects too: "../x" must stay a name.
  const path = `${collectionPath(reference.type, reference.namespace)}/${encodeURIComponent(reference.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/** The API group of an apiVersion; the core group is the empty string. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** One string for one kind of object: `apiVersion/Kind`. */
export function typeKey(type: { readonly apiVersion: string; readonly kind: string }): string {
  return `${type.apiVersion}/${type.kind}`;
}
