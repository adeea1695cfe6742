// A RayCluster and its objects in memory, on which passes of the pure controller are played: decide, do what was
// decided, compute the status. What it says of a real API server counts only where the integration tests agree.
import { defaultFeatureGates } from "../../api/v1/feature-gates.ts";
import type { Pod, Service } from "../../api/v1/kubernetes.ts";
import type { RayCluster, RayClusterSpec, RayClusterStatus } from "../../api/v1/raycluster.ts";
import { decide } from "../../controllers/raycluster/decide.ts";
import { isAlive, isHead, isWorker, type ObservedCluster } from "../../controllers/raycluster/observed.ts";
import type { RuleContext } from "../../controllers/raycluster/rules/rule.ts";
import { differs, status } from "../../controllers/raycluster/status.ts";
import { type PodView, podView, type ServiceView, serviceView } from "../../controllers/raycluster/views.ts";
import { defaultSettings, type Settings } from "../../controllers/shared/settings.ts";
import { type Action, type Decision, needKey, type Outcome } from "../../src/kube/decision.ts";
import type { KubeObject } from "../../src/kube/types.ts";

const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** A small valid cluster: a head and one group of `replicas` workers. */
export function smallCluster(replicas = 2, spec: Partial<RayClusterSpec> = {}): RayCluster {
  const template = (name: string) => ({
    spec: {
      containers: [
        {
          name,
          image: "rayproject/ray:2.52.0",
          resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } },
        },
      ],
    },
  });
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: {
      name: "demo",
      namespace: "ns",
      uid: "cluster-uid",
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: {
      rayVersion: "2.52.0",
      headGroupSpec: { rayStartParams: {}, template: template("ray-head") },
      workerGroupSpecs: [
        {
          groupName: "small",
          replicas,
          minReplicas: 0,
          maxReplicas: 100,
          numOfHosts: 1,
          rayStartParams: {},
          template: template("ray-worker"),
        },
      ],
      ...spec,
    },
  };
}

/** Decides how a write ends: a text is the API server's refusal. */
export type Refusal = (action: Action) => string | undefined;

export class World {
  cluster: RayCluster;
  pods: PodView[] = [];
  services: ServiceView[] = [];
  readonly settings: Settings;
  /** Every event that was emitted, as `reason: note`. */
  readonly events: string[] = [];
  /** Every name that a created pod ever had. */
  readonly podNames: string[] = [];
  statusWrites = 0;
  private readonly read = new Map<string, KubeObject | null>();
  private clock = Date.parse("2026-01-01T00:00:00Z");
  private serial = 0;
  private seed: number;

  constructor(cluster: RayCluster = smallCluster(), settings: Partial<Settings> = {}, seed = 1) {
    this.cluster = cluster;
    this.seed = seed;
    this.settings = { ...defaultSettings(), featureGates: defaultFeatureGates, ...settings };
  }

  get seen(): ObservedCluster {
    return { cluster: this.cluster, pods: this.pods, services: this.services, read: this.read };
  }

  get heads(): PodView[] {
    return this.pods.filter(isHead);
  }

  get workers(): PodView[] {
    return this.pods.filter(isWorker);
  }

  /** One reconcile; returns what was decided. */
  pass(refuse: Refusal = () => undefined): Decision {
    this.clock += 1000;
    const decision = this.decideAfterReading();
    if (decision.ignore !== undefined) return decision;
    const outcomes = this.apply(decision.actions, refuse);
    this.events.push(...(decision.events ?? []).map((event) => `${event.reason}: ${event.note}`));
    const next = status(this.before(outcomes), outcomes, decision, this.context());
    if (differs(this.cluster.status, next.status)) {
      this.statusWrites++;
      this.cluster = { ...this.cluster, status: JSON.parse(JSON.stringify(next.status)) as RayClusterStatus };
    }
    return decision;
  }

  /** Passes until nothing is decided any more and no status differs; the number of passes it took. */
  settle(limit = 20): number {
    for (let passes = 1; passes <= limit; passes++) {
      const writes = this.statusWrites;
      const decision = this.pass();
      this.removeTerminating();
      if (decision.actions.length === 0 && this.statusWrites === writes && decision.requeueAfterMs !== 0) return passes;
    }
    throw new Error(`not at rest after ${limit} passes`);
  }

  /** Lets every pod that is alive run and be ready. */
  run(): void {
    const ready = { status: "True", reason: "", message: "" };
    this.pods = this.pods.map((pod) =>
      isAlive(pod) && pod.phase === "Pending"
        ? { ...pod, phase: "Running", podIP: "10.244.0.9", scheduled: true, ready }
        : pod,
    );
  }

  change(names: string | PodView, change: Partial<PodView>): void {
    const name = typeof names === "string" ? names : names.metadata.name;
    this.pods = this.pods.map((pod) => (pod.metadata.name === name ? { ...pod, ...change } : pod));
  }

  edit(spec: Partial<RayClusterSpec>): void {
    const { metadata } = this.cluster;
    this.cluster = {
      ...this.cluster,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...this.cluster.spec, ...spec },
    };
  }

  editGroup(index: number, change: object): void {
    const groups = (this.cluster.spec.workerGroupSpecs ?? []).map((group, i) =>
      i === index ? { ...group, ...change } : group,
    );
    this.edit({ workerGroupSpecs: groups });
  }

  removeTerminating(): void {
    this.pods = this.pods.filter(isAlive);
  }

  /** Somebody deletes a pod; it is gone at once. */
  lose(pod: PodView): void {
    this.pods = this.pods.filter((other) => other !== pod);
  }

  context(): RuleContext {
    return { now: this.clock, drawSuffix: () => this.draw(), drawToken: () => this.draw(), settings: this.settings };
  }

  private decideAfterReading(): Decision {
    for (let round = 0; round < 3; round++) {
      const decision = decide(this.seen, this.context());
      const unread = (decision.needs ?? []).filter((need) => !this.read.has(needKey(need)));
      if (unread.length === 0) return decision;
      for (const need of unread) this.read.set(needKey(need), null);
    }
    throw new Error("the decision asks for objects without end");
  }

  private apply(actions: readonly Action[], refuse: Refusal): Outcome[] {
    let failedWave = Number.POSITIVE_INFINITY;
    return actions
      .toSorted((a, b) => a.wave - b.wave)
      .map((action) => {
        if (action.wave > failedWave) return { action, result: "skipped" };
        const message = refuse(action);
        const event = message === undefined ? action.onSuccess : action.onFailure?.(message);
        if (event) this.events.push(`${event.reason}: ${event.note}`);
        if (message === undefined) return this.perform(action);
        if (!action.optional) failedWave = Math.min(failedWave, action.wave);
        return { action, result: "failed", message };
      });
  }

  private perform(action: Action): Outcome {
    if (action.verb === "create") return { action, result: "done", object: this.create(action.object) };
    if (action.verb === "delete") {
      const deletionTimestamp = new Date(this.clock).toISOString();
      this.pods = this.pods.map((pod) =>
        pod.metadata.uid === action.uid ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp } } : pod,
      );
    }
    if (action.verb === "patch") this.patchLabels(action.name, action.patch);
    return { action, result: "done" };
  }

  private create(object: KubeObject): KubeObject {
    const stored = structuredClone(object);
    stored.metadata.uid = `uid-${++this.serial}`;
    stored.metadata.creationTimestamp = new Date(this.clock + this.serial).toISOString();
    if (stored.kind === "Pod") {
      if (this.pods.some((pod) => pod.metadata.name === stored.metadata.name))
        throw new Error(`${stored.metadata.name} exists`);
      this.podNames.push(stored.metadata.name);
      this.pods = [...this.pods, podView(stored as Pod)];
    }
    if (stored.kind === "Service") this.services = [...this.services, serviceView(defaulted(stored as Service))];
    this.read.set(
      needKey({ type: typeOf(stored), namespace: stored.metadata.namespace, name: stored.metadata.name }),
      stored,
    );
    return stored;
  }

  private patchLabels(name: string, patch: object): void {
    const { labels } = (patch as { metadata: { labels: Record<string, string> } }).metadata;
    this.pods = this.pods.map((pod) =>
      pod.metadata.name === name
        ? { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } }
        : pod,
    );
  }

  /** What was seen before the pass's own creations, as the controller's caches would have it. */
  private before(outcomes: readonly Outcome[]): ObservedCluster {
    const made = new Set(
      outcomes.flatMap((outcome) => (outcome.result === "done" && outcome.object ? [outcome.object.metadata.uid] : [])),
    );
    return {
      ...this.seen,
      pods: this.pods.filter((pod) => !made.has(pod.metadata.uid)),
      services: this.services.filter((service) => !made.has(service.metadata.uid)),
    };
  }

  private draw(): string {
    let suffix = "";
    for (let i = 0; i < 5; i++) {
      this.seed = (this.seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      suffix += alphabet[Math.floor((this.seed / 2_147_483_648) * alphabet.length)];
    }
    return suffix;
  }
}

function defaulted(service: Service): Service {
  for (const port of service.spec?.ports ?? []) port.targetPort ??= port.port;
  return service;
}

function typeOf(object: KubeObject) {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    plural: `${object.kind.toLowerCase()}s`,
    namespaced: true,
  };
}
