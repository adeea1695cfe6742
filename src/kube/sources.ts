// What makes a controller look at a key: changes in caches.
import type { ObjectCache } from "./cache.ts";
import { PRIORITY } from "./queue.ts";
import { keyOf } from "./reconciler.ts";
import { groupOf } from "./resource-path.ts";
import type { KubeObject, ResourceType } from "./types.ts";

export type Enqueue = (key: string, priority: number) => void;

/** A source of keys; `subscribe` answers with how to end it. */
export type Source = (enqueue: Enqueue) => () => void;

/**
 * The reconciled objects themselves: created, deleted, or changed in generation, labels, annotations or deletion, but
 * not in status (reference: operator.md section 7). What people change goes before everything else.
 */
export function changesOf<T extends KubeObject>(cache: ObjectCache<T>): Source {
  return (enqueue) =>
    cache.onChange((before, after, initial) => {
      if (before && after && !changed(before, after)) return;
      const { namespace, name } = (after ?? before)?.metadata ?? { name: "" };
      enqueue(keyOf(namespace, name), initial ? PRIORITY.background : PRIORITY.user);
    });
}

/** The controller owners, of one kind, of the objects in a cache: any change of an owned object is theirs. */
export function ownersIn<T extends KubeObject>(cache: ObjectCache<T>, owner: ResourceType): Source {
  return keysIn(cache, (object) => ownerKey(object, owner));
}

/** Any other relation: `keyFor` names the key that an object concerns. */
export function keysIn<T extends KubeObject>(cache: ObjectCache<T>, keyFor: (object: T) => string | undefined): Source {
  return (enqueue) =>
    cache.onChange((before, after, initial) => {
      const priority = initial ? PRIORITY.background : PRIORITY.normal;
      const now = after && keyFor(after);
      const then = before && keyFor(before);
      if (now !== undefined) enqueue(now, priority);
      if (then !== undefined && then !== now) enqueue(then, priority);
    });
}

function ownerKey(object: KubeObject, type: ResourceType): string | undefined {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller);
  if (!owner || owner.kind !== type.kind || groupOf(owner.apiVersion) !== groupOf(type.apiVersion)) return undefined;
  return keyOf(type.namespaced ? object.metadata.namespace : undefined, owner.name);
}

function changed({ metadata: a }: KubeObject, { metadata: b }: KubeObject): boolean {
  return (
    a.uid !== b.uid ||
    a.generation !== b.generation ||
    a.deletionTimestamp !== b.deletionTimestamp ||
    !sameEntries(a.labels, b.labels) ||
    !sameEntries(a.annotations, b.annotations)
  );
}

function sameEntries(a: Record<string, string> = {}, b: Record<string, string> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
