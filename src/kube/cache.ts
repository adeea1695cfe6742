// What this process knows of one kind of object, kept fresh by a reflector and by the process's own writes.
//
// The contract:
// - Reads are synchronous and never leave the process. What they give is shared: read-only for everyone.
// - The answers of our own writes enter at once (`written`, `deleting`, `gone`), so that the next pass sees them. The
//   newer resourceVersion wins, whichever way it came. What a list or watch has shown to be gone never comes back by a
//   late answer: an answer older than what was seen of the collection, about an object that is not there, is history.
// - Change handlers are called in order, once a change, with the object before and after.
import { compareResourceVersions, isNewer } from "./resource-version.ts";
import { type LabelMatch, parseLabelSelector } from "./selector.ts";
import { Tombstones } from "./tombstones.ts";
import type { KubeObject, Logger, ResourceType } from "./types.ts";

export interface CacheOptions<T extends KubeObject> {
  readonly type: ResourceType;
  /** Only these namespaces; all when missing or empty. */
  readonly namespaces?: readonly string[] | undefined;
  readonly labelSelector?: string | undefined;
  /** Cuts an object down to what is read of it. Must not change its argument. Default: `withoutBookkeeping`. */
  readonly project?: (object: KubeObject) => T;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  readonly log?: Logger | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The values under which an object is found in an index; undefined: under none. */
export type IndexFunction<T> = (object: T) => string | readonly string[] | undefined;

/**
 * One change: `before` is undefined for a new object, `after` for one that is gone. `initial`: part of the first list,
 * so nothing may have happened.
 */
export type ChangeHandler<T> = (before: T | undefined, after: T | undefined, initial: boolean) => void;

/** One object of the cache's kind. */
export interface Identified {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
}

/** The scope of a cache that is not limited to namespaces. */
export const ALL_NAMESPACES = "";

export class ObjectCache<T extends KubeObject = KubeObject> {
  readonly type: ResourceType;
  readonly labelSelector: string | undefined;
  /** The namespaces that are listed one by one; `ALL_NAMESPACES` alone when there is no limit. */
  readonly scopes: readonly string[];
  readonly #project: (object: KubeObject) => T;
  readonly #selects: LabelMatch;
  readonly #log: Logger | undefined;
  readonly #now: () => number;
  readonly #byNamespace = new Map<string, Map<string, T>>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers = new Set<ChangeHandler<T>>();
  /** Objects whose end we know from our own deletes. */
  readonly #tombstones: Tombstones;
  /** Up to which resourceVersion everything of a scope has been seen. */
  readonly #seenUpTo = new Map<string, string>();
  /** UIDs that came by our own writes and that no watch or list has shown yet. */
  readonly #assumed = new Set<string>();
  /** UIDs whose deletion we asked for and that no watch has shown terminating yet. */
  readonly #deleting = new Set<string>();
  readonly #unlisted: Set<string>;
  #synced = Promise.withResolvers<void>();
  #size = 0;

  constructor(options: CacheOptions<T>) {
    this.type = options.type;
    this.labelSelector = options.labelSelector;
    this.scopes = options.namespaces?.length ? options.namespaces : [ALL_NAMESPACES];
    this.#unlisted = new Set(this.scopes);
    this.#project = options.project ?? (withoutBookkeeping as (object: KubeObject) => T);
    this.#selects = parseLabelSelector(options.labelSelector);
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
    this.#tombstones = new Tombstones(this.#now);
    for (const [name, values] of Object.entries(options.indexes ?? {})) this.#indexes.set(name, new Index(values));
  }

  /** Number of objects. */
  get size(): number {
    return this.#size;
  }

  /** Whether every scope has been listed. Before that, "absent" means nothing. */
  get synced(): boolean {
    return this.#unlisted.size === 0;
  }

  /** Resolves once every scope has been listed. */
  whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#byNamespace.get(namespace ?? "")?.get(name);
  }

  /** All objects, or those of one namespace, in no order that means anything. */
  list(namespace?: string): T[] {
    if (namespace !== undefined) return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
    return [...this.#byNamespace.values()].flatMap((objects) => [...objects.values()]);
  }

  /** The objects with this value in an index, in no order that means anything. */
  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (!found) throw new Error(`the cache of ${this.type.plural} has no index "${index}"`);
    return found.get(value);
  }

  /** Calls `handler` for every change from now on; the answer ends that. What a handler throws is logged. */
  onChange(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Takes the answer of our own create, update or patch. */
  written(object: KubeObject): void {
    if (!this.#inScope(object.metadata.namespace)) return;
    const current = this.get(object.metadata.namespace, object.metadata.name);
    if (!this.#selects(object.metadata.labels)) {
      // Our own write took it out of the selection, and the watch will say so too.
      if (current && current.metadata.uid === object.metadata.uid)
        this.#removeIfNewer(current, object.metadata.resourceVersion);
      return;
    }
    const { namespace, resourceVersion, uid } = object.metadata;
    const seenUpTo = this.#seenUpTo.get(this.#scopeOf(namespace));
    if (
      !current &&
      compareResourceVersions(resourceVersion, seenUpTo) !== undefined &&
      !isNewer(resourceVersion, seenUpTo)
    ) {
      return;
    }
    if (this.#put(this.project(object), false) && uid) this.#assumed.add(uid);
  }

  /** Our delete was accepted: until the watch shows what became of it, the object counts as terminating. */
  deleting({ namespace, name, uid }: Identified): void {
    const current = this.get(namespace, name);
    if (!current || current.metadata.uid !== uid || current.metadata.deletionTimestamp) return;
    this.#deleting.add(uid);
    this.#store(current, this.#marked(current), false);
  }

  /** The object with this UID surely no longer exists. */
  gone({ namespace, name, uid }: Identified): void {
    this.#tombstones.add(uid);
    const current = this.get(namespace, name);
    if (current?.metadata.uid === uid) this.#remove(current, false);
  }

  /** Cuts an object from the API server down; list items lack apiVersion and kind, which are filled in. */
  project(object: KubeObject): T {
    if (object.kind && object.apiVersion) return this.#project(object);
    return this.#project({ ...object, apiVersion: this.type.apiVersion, kind: this.type.kind });
  }

  /** Takes a whole list of one scope (projected objects) with its resourceVersion. */
  replace(objects: readonly T[], resourceVersion: string, scope: string): void {
    const initial = this.#unlisted.has(scope);
    const listed = new Set<string>();
    for (const object of objects) {
      if (object.metadata.uid) listed.add(object.metadata.uid);
    }
    for (const known of scope === ALL_NAMESPACES ? this.list() : this.list(scope)) {
      if (listed.has(known.metadata.uid ?? "") || this.#writtenAfter(known, resourceVersion)) continue;
      this.#remove(known, initial);
    }
    for (const object of objects) this.#putListed(object, resourceVersion, initial);
    this.#seenUpTo.set(scope, resourceVersion);
    this.#unlisted.delete(scope);
    if (this.synced) this.#synced.resolve();
  }

  /** Takes one event of a watch (a projected object). */
  event(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    if (resourceVersion) this.#seenUpTo.set(this.#scopeOf(namespace), resourceVersion);
    if (type !== "DELETED") {
      this.#put(object, true);
      return;
    }
    const current = this.get(namespace, name);
    if (current && current.metadata.uid === uid) this.#removeIfNewer(current, resourceVersion);
  }

  /** Forgets everything, as if nothing had been listed; no handler is called. */
  clear(): void {
    this.#byNamespace.clear();
    for (const index of this.#indexes.values()) index.clear();
    this.#assumed.clear();
    this.#deleting.clear();
    this.#seenUpTo.clear();
    this.#size = 0;
    if (this.synced) this.#synced = Promise.withResolvers();
    for (const scope of this.scopes) this.#unlisted.add(scope);
  }

  #inScope(namespace: string | undefined): boolean {
    return this.scopes[0] === ALL_NAMESPACES || this.scopes.includes(namespace ?? "");
  }

  #scopeOf(namespace: string | undefined): string {
    return this.scopes[0] === ALL_NAMESPACES ? ALL_NAMESPACES : (namespace ?? "");
  }

  // A list is the truth up to its resourceVersion, except for what we wrote after it was made.
  #putListed(object: T, listVersion: string, initial: boolean): void {
    const current = this.get(object.metadata.namespace, object.metadata.name);
    if (current && this.#writtenAfter(current, listVersion)) return;
    if (this.#tombstones.has(object.metadata.uid)) return;
    this.#assumed.delete(object.metadata.uid ?? "");
    if (sameVersion(current, object)) return;
    this.#store(current, this.#deleting.has(object.metadata.uid ?? "") ? this.#marked(object) : object, initial);
  }

  /** Whether the object was taken; an older or deleted one is not. */
  #put(object: T, watched: boolean): boolean {
    const { namespace, name, uid = "", resourceVersion } = object.metadata;
    if (this.#tombstones.has(uid)) return false;
    const current = this.get(namespace, name);
    if (watched && !isNewer(current?.metadata.resourceVersion, resourceVersion)) this.#assumed.delete(uid);
    if (current && !supersedes(object, current)) return false;
    this.#store(current, this.#deleting.has(uid) ? this.#marked(object) : object, false);
    return true;
  }

  #writtenAfter(object: T, resourceVersion: string): boolean {
    return this.#assumed.has(object.metadata.uid ?? "") && isNewer(object.metadata.resourceVersion, resourceVersion);
  }

  #marked(object: T): T {
    const { metadata } = object;
    if (metadata.deletionTimestamp) {
      this.#deleting.delete(metadata.uid ?? "");
      return object;
    }
    return { ...object, metadata: { ...metadata, deletionTimestamp: new Date(this.#now()).toISOString() } };
  }

  #removeIfNewer(current: T, resourceVersion: string | undefined): void {
    // An object that left the selection and came back by our own write is newer than the event of its leaving.
    if (!isNewer(current.metadata.resourceVersion, resourceVersion)) this.#remove(current, false);
  }

  #store(before: T | undefined, after: T, initial: boolean): void {
    const { namespace = "", name } = after.metadata;
    let objects = this.#byNamespace.get(namespace);
    if (!objects) {
      objects = new Map();
      this.#byNamespace.set(namespace, objects);
    }
    objects.set(name, after);
    if (!before) this.#size++;
    else if (before.metadata.uid !== after.metadata.uid) this.#forget(before);
    for (const index of this.#indexes.values()) index.update(before, after);
    this.#notify(before, after, initial);
  }

  #remove(current: T, initial: boolean): void {
    const { namespace = "", name } = current.metadata;
    const objects = this.#byNamespace.get(namespace);
    objects?.delete(name);
    if (objects?.size === 0) this.#byNamespace.delete(namespace);
    this.#size--;
    this.#forget(current);
    for (const index of this.#indexes.values()) index.update(current, undefined);
    this.#notify(current, undefined, initial);
  }

  #forget(object: T): void {
    this.#assumed.delete(object.metadata.uid ?? "");
    this.#deleting.delete(object.metadata.uid ?? "");
  }

  #notify(before: T | undefined, after: T | undefined, initial: boolean): void {
    for (const handler of this.#handlers) {
      try {
        handler(before, after, initial);
      } catch (error) {
        const { namespace, name } = (after ?? before)?.metadata ?? {};
        this.#log?.error("a change handler failed", {
          resource: this.type.plural,
          namespace,
          name,
          error: error instanceof Error ? error.stack : String(error),
        });
      }
    }
  }
}

/** Objects by the values of one index function. */
class Index<T> {
  readonly #values: IndexFunction<T>;
  readonly #objects = new Map<string, Set<T>>();

  constructor(values: IndexFunction<T>) {
    this.#values = values;
  }

  get(value: string): T[] {
    return [...(this.#objects.get(value) ?? [])];
  }

  update(before: T | undefined, after: T | undefined): void {
    if (before !== undefined) for (const value of this.#of(before)) this.#drop(value, before);
    if (after !== undefined) for (const value of this.#of(after)) this.#add(value, after);
  }

  clear(): void {
    this.#objects.clear();
  }

  #of(object: T): readonly string[] {
    const values = this.#values(object);
    return values === undefined ? [] : typeof values === "string" ? [values] : values;
  }

  #add(value: string, object: T): void {
    const objects = this.#objects.get(value);
    if (objects) objects.add(object);
    else this.#objects.set(value, new Set([object]));
  }

  #drop(value: string, object: T): void {
    const objects = this.#objects.get(value);
    objects?.delete(object);
    if (objects?.size === 0) this.#objects.delete(value);
  }
}

/** UID of the controller that owns the object: the usual index. */
export function controllerUid(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
}

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The object without `managedFields` and kubectl's copy of the manifest, which nobody here reads. */
export function withoutBookkeeping(object: KubeObject): KubeObject {
  const { managedFields: _fields, ...metadata } = object.metadata as KubeObject["metadata"] & {
    managedFields?: unknown;
  };
  if (metadata.annotations?.[LAST_APPLIED] !== undefined) {
    const { [LAST_APPLIED]: _applied, ...annotations } = metadata.annotations;
    metadata.annotations = annotations;
  }
  return { ...object, metadata };
}

function sameVersion(a: KubeObject | undefined, b: KubeObject): boolean {
  return a?.metadata.uid === b.metadata.uid && a?.metadata.resourceVersion === b.metadata.resourceVersion;
}

// What cannot be compared (no numbers) is taken in the order in which it comes.
function supersedes(next: KubeObject, current: KubeObject): boolean {
  return !sameVersion(current, next) && !isNewer(current.metadata.resourceVersion, next.metadata.resourceVersion);
}
