// A namespace of the test cluster and the objects of its RayClusters, read anew from the API server with every question.
import { expect } from "chai";
import type { Pod, Service } from "../../../../api/v1/kubernetes.ts";
import { Label, NodeType } from "../../../../api/v1/labels.ts";
import type {
  RayCluster,
  RayClusterCondition,
  RayClusterSpec,
  WorkerGroupSpec,
} from "../../../../api/v1/raycluster.ts";
import { type LocalApi, mergePatch } from "../../../../src/local/api.ts";
import { eventually } from "../../../support/eventually.ts";

/** An event of events.k8s.io/v1. */
export interface KubeEvent {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly name: string; readonly uid: string };
  readonly series?: { readonly count: number };
}

interface List<T> {
  readonly items: T[];
}

/** A change of a spec, as a merge patch: null takes a field away. */
export type SpecPatch = { readonly [Key in keyof RayClusterSpec]?: RayClusterSpec[Key] | null | undefined };

export class TestNamespace {
  readonly name: string;
  readonly api: LocalApi;

  constructor(api: LocalApi, name: string) {
    this.api = api;
    this.name = name;
  }

  /** Path of a collection, or of an object in it: `pods`, `services`, `rayclusters`, ... */
  path(collection: string, name?: string): string {
    const group = groups[collection] ?? "/api/v1";
    return `${group}/namespaces/${this.name}/${collection}${name === undefined ? "" : `/${name}`}`;
  }

  create(cluster: RayCluster): Promise<RayCluster> {
    return this.api.request("POST", this.path("rayclusters"), inNamespace(cluster, this.name));
  }

  get(name: string): Promise<RayCluster> {
    return this.api.get(this.path("rayclusters", name));
  }

  edit(name: string, spec: SpecPatch): Promise<RayCluster> {
    return this.api.request("PATCH", this.path("rayclusters", name), { spec }, mergePatch);
  }

  /** Changes fields of one worker group; a merge patch replaces lists as a whole. */
  async editGroup(name: string, change: Partial<WorkerGroupSpec>, index = 0): Promise<RayCluster> {
    const { spec } = await this.get(name);
    const workerGroupSpecs = spec.workerGroupSpecs?.map((group, i) => (i === index ? { ...group, ...change } : group));
    return this.edit(name, { workerGroupSpecs });
  }

  annotate(name: string, annotations: Record<string, string | null>): Promise<RayCluster> {
    return this.api.request("PATCH", this.path("rayclusters", name), { metadata: { annotations } }, mergePatch);
  }

  /** Deletes an object of any collection; `rayclusters` unless told. */
  async remove(name: string, collection = "rayclusters", options: object = {}): Promise<void> {
    await this.api.request("DELETE", this.path(collection, name), {
      apiVersion: "v1",
      kind: "DeleteOptions",
      ...options,
    });
  }

  async list<T>(collection: string): Promise<T[]> {
    return (await this.api.get<List<T>>(this.path(collection))).items;
  }

  /** The pods that a cluster of this name controls, those that are being deleted included, in the order of their names. */
  async pods(cluster: string): Promise<Pod[]> {
    const pods = await this.list<Pod>("pods");
    return pods
      .filter((pod) => pod.metadata.ownerReferences?.some(({ controller, name }) => controller && name === cluster))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  /** The pods of a cluster that nobody deletes. */
  async alive(cluster: string): Promise<Pod[]> {
    return (await this.pods(cluster)).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  async heads(cluster: string): Promise<Pod[]> {
    return (await this.alive(cluster)).filter(isHead);
  }

  async workers(cluster: string): Promise<Pod[]> {
    return (await this.alive(cluster)).filter((pod) => !isHead(pod));
  }

  services(): Promise<Service[]> {
    return this.list<Service>("services");
  }

  /** The events about an object of this name, in no order. */
  async events(name: string): Promise<KubeEvent[]> {
    return (await this.list<KubeEvent>("events")).filter((event) => event.regarding.name === name);
  }

  async condition(name: string, type: string): Promise<RayClusterCondition | undefined> {
    return conditionOf(await this.get(name), type);
  }

  /** Waits until the cluster has one head, this many workers, nothing that goes, and a status that says so. */
  async settled(name: string, workers: number, withinMs = 20_000): Promise<RayCluster> {
    return eventually(
      async () => {
        const pods = await this.pods(name);
        const count = (what: (pod: Pod) => boolean) => pods.filter(what).length;
        expect({
          heads: count(isHead),
          workers: count((pod) => !isHead(pod)),
          leaving: count(isLeaving),
        }).to.deep.equal({
          heads: 1,
          workers,
          leaving: 0,
        });
        const cluster = await this.get(name);
        expect(cluster.status?.state, "state").to.equal("ready");
        expect(cluster.status?.observedGeneration, "observedGeneration").to.equal(cluster.metadata.generation);
        expect(cluster.status?.readyWorkerReplicas ?? 0, "readyWorkerReplicas").to.equal(workers);
        const head = pods.find(isHead);
        expect(cluster.status?.head, "status.head").to.include({
          podName: head?.metadata.name,
          podIP: head?.status?.podIP,
        });
        expect(conditionOf(cluster, "HeadPodReady")?.status, "HeadPodReady").to.equal("True");
        return cluster;
      },
      { withinMs },
    );
  }
}

const groups: Readonly<Record<string, string>> = {
  rayclusters: "/apis/ray.io/v1",
  events: "/apis/events.k8s.io/v1",
  roles: "/apis/rbac.authorization.k8s.io/v1",
  rolebindings: "/apis/rbac.authorization.k8s.io/v1",
};

export function isHead(pod: Pod): boolean {
  return pod.metadata.labels?.[Label.nodeType] === NodeType.head;
}

export function isLeaving(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

export function namesOf(objects: readonly { readonly metadata: { readonly name: string } }[]): string[] {
  return objects.map((object) => object.metadata.name);
}

export function conditionOf(cluster: RayCluster, type: string): RayClusterCondition | undefined {
  return cluster.status?.conditions?.find((condition) => condition.type === type);
}

/** The object as it is sent: without what only the API server sets. */
function inNamespace(cluster: RayCluster, namespace: string): object {
  const { name, labels, annotations } = cluster.metadata;
  return {
    ...cluster,
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }) },
  };
}
