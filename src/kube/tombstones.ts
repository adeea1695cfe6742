import { compareResourceVersions } from "./resource-version.ts";
import type { KubeObject } from "./types.ts";

/** Longer than any answer of our own requests may be under way. */
const GENERATION_MS = 120_000;

/**
 * UIDs that were seen deleted, for two to four minutes: a late answer of our own create or patch must not bring such an
 * object back. An object that only left a label selection may come back, with a newer resourceVersion.
 */
export class Tombstones {
  readonly #now: () => number;
  #young = new Map<string, string | undefined>();
  #old = new Map<string, string | undefined>();
  #turnedAt: number;

  /** `now` gives milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#turnedAt = now();
  }

  /** `resourceVersion` of the deletion; undefined: gone for good. */
  add(uid: string, resourceVersion: string | undefined): void {
    if (uid === "") return;
    this.#turn();
    this.#young.set(uid, resourceVersion);
  }

  /** Whether the object is one that was deleted at or after this state of it. */
  covers(object: KubeObject): boolean {
    const { uid = "", resourceVersion } = object.metadata;
    const generation = this.#young.has(uid) ? this.#young : this.#old;
    if (!generation.has(uid)) return false;
    const deletedAt = generation.get(uid);
    return deletedAt === undefined || (compareResourceVersions(resourceVersion, deletedAt) ?? 0) <= 0;
  }

  #turn(): void {
    const now = this.#now();
    if (now - this.#turnedAt < GENERATION_MS) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAt = now;
  }
}
