// Stand-ins for the unit tests of the runtime: a clock that is turned by hand, and a small API server in memory.
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ListPage,
  PatchOptions,
  WatchOptions,
  WriteOptions,
} from "../../../src/kube/client.ts";
import { ApiError } from "../../../src/kube/errors.ts";
import { applyMergePatch } from "../../../src/kube/merge-patch.ts";
import type { Clock } from "../../../src/kube/time.ts";
import type { KubeObject, Logger, ObjectReference, ResourceType } from "../../../src/kube/types.ts";
import type { WatchEvent } from "../../../src/kube/watch-stream.ts";

export const PODS: ResourceType = { apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true };

/** Time that passes only in `advance`. */
export class VirtualClock implements Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  readonly #timers: { at: number; callback: () => void }[] = [];

  now = () => this.#now;
  monotonic = () => this.#now;

  after = (ms: number, callback: () => void) => {
    const timer = { at: this.#now + Math.max(ms, 0), callback };
    this.#timers.push(timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  };

  /** Number of timers that are set. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Lets time pass, firing timers in their order, and lets everything they start settle. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (;;) {
      const next = this.#timers.reduce<{ at: number; callback: () => void } | undefined>(
        (first, timer) => (timer.at <= until && (!first || timer.at < first.at) ? timer : first),
        undefined,
      );
      if (!next) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = until;
  }
}

/** Resolves when all promises and immediates that are ready have run. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** What the model was asked to do. */
export interface Request {
  readonly verb: "get" | "create" | "update" | "patch" | "delete";
  readonly name: string;
  readonly body?: unknown;
}

/** Says how a request goes wrong: an error thrown instead (`before`) or after it was done (`after`: a lost answer). */
export type Fault = (request: Request) => { before?: Error; after?: Error } | undefined;

/** The writes and reads of an API server, in memory; enough of it for the runtime's own unit tests. */
export class MemoryApi implements KubeClient {
  readonly objects = new Map<string, KubeObject>();
  readonly requests: Request[] = [];
  fault: Fault = () => undefined;
  /** Awaited in every request, so that tests can hold them. */
  gate: (request: Request) => Promise<void> = async () => {};
  #version = 100;
  #uids = 0;

  put(object: KubeObject): KubeObject {
    const { kind, metadata } = object;
    const key = `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
    const uid = metadata.uid ?? this.objects.get(key)?.metadata.uid ?? `uid-${++this.#uids}`;
    const stored = { ...object, metadata: { ...metadata, uid, resourceVersion: String(++this.#version) } };
    this.objects.set(key, stored);
    return stored;
  }

  requested(verb: Request["verb"]): string[] {
    return this.requests.filter((request) => request.verb === verb).map((request) => request.name);
  }

  get<T extends KubeObject>(reference: ObjectReference): Promise<T> {
    return this.#do({ verb: "get", name: reference.name }, () => this.#find(reference) as T);
  }

  create<T extends KubeObject>(type: ResourceType, object: KubeObject, _options?: WriteOptions): Promise<T> {
    return this.#do({ verb: "create", name: object.metadata.name, body: object }, () => {
      if (this.objects.has(`${type.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`)) {
        throw new ApiError(409, { reason: "AlreadyExists", message: `"${object.metadata.name}" already exists` });
      }
      return this.put(object) as T;
    });
  }

  update<T extends KubeObject>(type: ResourceType, object: KubeObject): Promise<T> {
    const { name, namespace, resourceVersion } = object.metadata;
    return this.#do({ verb: "update", name, body: object }, () => {
      const current = this.#find({ type, name, namespace });
      if (resourceVersion && current.metadata.resourceVersion !== resourceVersion) throw conflict(name);
      return this.put(object) as T;
    });
  }

  updateStatus<T extends KubeObject>(type: ResourceType, object: KubeObject): Promise<T> {
    return this.update(type, object);
  }

  patch<T extends KubeObject>(reference: ObjectReference, patch: unknown, _options: PatchOptions): Promise<T> {
    return this.#do({ verb: "patch", name: reference.name, body: patch }, () => {
      const current = this.#find(reference);
      const version = (patch as Partial<KubeObject>).metadata?.resourceVersion;
      if (version && current.metadata.resourceVersion !== version) throw conflict(reference.name);
      return this.put(applyMergePatch(current, patch) as KubeObject) as T;
    });
  }

  delete(reference: ObjectReference, options: DeleteOptions = {}): Promise<KubeObject> {
    return this.#do({ verb: "delete", name: reference.name }, () => {
      const current = this.#find(reference);
      if (options.uid && current.metadata.uid !== options.uid) throw conflict(reference.name);
      this.objects.delete(`${reference.type.kind}/${reference.namespace ?? ""}/${reference.name}`);
      return { apiVersion: "v1", kind: "Status", metadata: {} as KubeObject["metadata"] };
    });
  }

  list<T extends KubeObject>(_type: ResourceType, _options?: ListOptions): Promise<ListPage<T>> {
    throw new Error("not part of this model");
  }

  pages<T extends KubeObject>(_type: ResourceType, _options?: ListOptions): AsyncGenerator<ListPage<T>> {
    throw new Error("not part of this model");
  }

  watch(_type: ResourceType, _options: WatchOptions, _onEvent: (event: WatchEvent) => void): Promise<void> {
    throw new Error("not part of this model");
  }

  #find({ type, namespace, name }: ObjectReference): KubeObject {
    const found = this.objects.get(`${type.kind}/${namespace ?? ""}/${name}`);
    if (!found) throw new ApiError(404, { reason: "NotFound", message: `${type.plural} "${name}" not found` });
    return found;
  }

  async #do<T>(request: Request, act: () => T): Promise<T> {
    this.requests.push(request);
    await this.gate(request);
    const fault = this.fault(request);
    if (fault?.before) throw fault.before;
    const result = act();
    if (fault?.after) throw fault.after;
    return result;
  }
}

function conflict(name: string): ApiError {
  return new ApiError(409, { reason: "Conflict", message: `Operation cannot be fulfilled on "${name}"` });
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A logger that keeps its lines. */
export class MemoryLog implements Logger {
  readonly lines: LogLine[] = [];
  debug = (message: string, fields = {}) => void this.lines.push({ level: "debug", message, fields });
  info = (message: string, fields = {}) => void this.lines.push({ level: "info", message, fields });
  warn = (message: string, fields = {}) => void this.lines.push({ level: "warn", message, fields });
  error = (message: string, fields = {}) => void this.lines.push({ level: "error", message, fields });
  child = () => this;
}

export function pod(name: string, metadata: Partial<KubeObject["metadata"]> = {}): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "ns", ...metadata } };
}
