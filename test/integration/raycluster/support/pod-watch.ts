// What a bystander sees of the pods while operators are killed: how much happens, and what must never happen.
import type { Pod } from "../../../../api/v1/kubernetes.ts";
import type { WatchEvent } from "../../../../src/local/api.ts";
import { isHead, type TestNamespace } from "./test-namespace.ts";

interface Seen {
  readonly name: string;
  readonly owner: string;
  readonly head: boolean;
  leaving: boolean;
}

export class PodWatch {
  /** Changes of any pod since the start. */
  changes = 0;
  created = 0;
  /** Most heads of one cluster that nobody deleted at one moment. More than one only after a kill, and not for long. */
  mostHeads = 0;
  /** Names that were given to a second pod. */
  readonly namesUsedTwice: string[] = [];
  readonly #seen = new Map<string, Seen>();
  readonly #uidOfName = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(namespace: TestNamespace) {
    const path = namespace.path("pods");
    this.#done = namespace.api.watch<Pod>(path, (event) => this.#take(event), this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  #take({ type, object }: WatchEvent<Pod>): void {
    if (type === "BOOKMARK" || type === "ERROR") return;
    this.changes++;
    const { uid = "", name, deletionTimestamp, ownerReferences } = object.metadata;
    if (!this.#seen.has(uid)) this.#first(uid, name);
    const owner = ownerReferences?.find(({ controller }) => controller)?.uid ?? "";
    const leaving = type === "DELETED" || deletionTimestamp !== undefined;
    this.#seen.set(uid, { name, owner, head: isHead(object), leaving });
    if (isHead(object) && !leaving) this.mostHeads = Math.max(this.mostHeads, this.#headsOf(owner));
  }

  #first(uid: string, name: string): void {
    this.created++;
    if (this.#uidOfName.has(name)) this.namesUsedTwice.push(name);
    this.#uidOfName.set(name, uid);
  }

  #headsOf(owner: string): number {
    return [...this.#seen.values()].filter((pod) => pod.head && !pod.leaving && pod.owner === owner).length;
  }
}
