// The pods of the cluster as simulated Ray needs them: which pod an address belongs to, and what listens there.

/** A container as the API server describes it, as far as it matters here. */
interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly state?: { readonly terminated?: object };
}

export interface Pod {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly containers: readonly Container[] };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface Service {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly spec: {
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number | string }[];
  };
}

/** What of Ray listens on a port. */
export type Role = "dashboard" | "agent" | "serve" | "metrics" | "other";

/** Where a connection ends: a pod, and what of Ray listens there. */
export interface Destination {
  readonly pod: Pod;
  readonly port: number;
  readonly role: Role;
}

const usualPorts: Readonly<Record<number, Role>> = {
  8265: "dashboard",
  52365: "agent",
  8000: "serve",
  8080: "metrics",
  10001: "other",
  6379: "other",
};

/** The ports on which something is to listen even before a pod names them. */
export const wellKnownPorts: readonly number[] = Object.keys(usualPorts).map(Number);

const roleOfName: Readonly<Record<string, Role>> = { dashboard: "dashboard", serve: "serve", metrics: "metrics" };

/** Knows all pods and services, and finds what an address means. */
export class Directory {
  readonly #pods = new Map<string, Pod>();
  readonly #byAddress = new Map<string, Pod>();
  readonly #services = new Map<string, Service>();

  setPod(pod: Pod): void {
    this.removePod(pod.metadata.uid);
    this.#pods.set(pod.metadata.uid, pod);
    const address = pod.status?.podIP;
    // An ended pod's address may have been given to another one already.
    if (address && isAlive(pod)) this.#byAddress.set(address, pod);
  }

  removePod(uid: string): void {
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    const address = pod?.status?.podIP;
    if (address && this.#byAddress.get(address)?.metadata.uid === uid) this.#byAddress.delete(address);
  }

  setService(service: Service): void {
    this.#services.set(service.metadata.uid, service);
  }

  removeService(uid: string): void {
    this.#services.delete(uid);
  }

  clearPods(): void {
    this.#pods.clear();
    this.#byAddress.clear();
  }

  clearServices(): void {
    this.#services.clear();
  }

  get pods(): Iterable<Pod> {
    return this.#pods.values();
  }

  pod(uid: string): Pod | undefined {
    return this.#pods.get(uid);
  }

  /** Who answers at this address of a pod or service; undefined where nothing would. */
  destination(address: string, port: number): Destination | undefined {
    const pod = this.#byAddress.get(address);
    return pod ? listener(pod, port) : this.#behindService(address, port);
  }

  /** The running pods of the Ray cluster that this pod belongs to, its head first. */
  clusterOf(pod: Pod): Pod[] {
    const cluster = pod.metadata.labels?.["ray.io/cluster"];
    const all = [...this.#pods.values()].filter(
      (one) =>
        one.metadata.namespace === pod.metadata.namespace &&
        one.metadata.labels?.["ray.io/cluster"] === cluster &&
        isAlive(one) &&
        rayRuns(one),
    );
    return all.sort((a, b) => Number(isHead(b)) - Number(isHead(a)));
  }

  /** The head that a Service of this name leads to. */
  headBehind(namespace: string, serviceName: string): Pod | undefined {
    for (const service of this.#services.values()) {
      if (service.metadata.name !== serviceName || service.metadata.namespace !== namespace) continue;
      return this.#endpoints(service).find(isHead);
    }
    return undefined;
  }

  #behindService(address: string, port: number): Destination | undefined {
    for (const service of this.#services.values()) {
      if (service.spec.clusterIP !== address) continue;
      const entry = service.spec.ports?.find((one) => one.port === port);
      if (!entry) return undefined;
      const candidates = this.#endpoints(service);
      const pod = candidates[Math.floor(Math.random() * candidates.length)];
      return pod && listener(pod, targetPort(pod, entry.targetPort ?? port));
    }
    return undefined;
  }

  #endpoints(service: Service): Pod[] {
    const selector = Object.entries(service.spec.selector ?? {});
    if (selector.length === 0) return [];
    return [...this.#pods.values()].filter(
      (pod) =>
        pod.metadata.namespace === service.metadata.namespace &&
        isAlive(pod) &&
        (isReady(pod) || service.spec.publishNotReadyAddresses === true) &&
        selector.every(([key, value]) => pod.metadata.labels?.[key] === value),
    );
  }
}

export function isHead(pod: Pod): boolean {
  return pod.metadata.labels?.["ray.io/node-type"] === "head";
}

/** Whether its containers run: a deleted pod that has not ended still answers. */
export function isAlive(pod: Pod): boolean {
  return pod.status?.phase === "Running";
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** The first container is Ray's, in every pod of the operator's. */
export function rayContainer(pod: Pod): Container | undefined {
  return pod.spec.containers[0];
}

/** All ports that a pod's containers name. */
export function portsOf(pod: Pod): number[] {
  return pod.spec.containers.flatMap((container) => container.ports ?? []).map((port) => port.containerPort);
}

function listener(pod: Pod, port: number): Destination | undefined {
  // A pod that is not Ready because its script says so is one whose Ray does not answer.
  if (!isAlive(pod) || !rayRuns(pod)) return undefined;
  const role = roleOf(pod, port);
  if (role === undefined) return undefined;
  // The dashboard and GCS run on the head only.
  if (!isHead(pod) && (role === "dashboard" || port === 6379 || port === 10001)) return undefined;
  return { pod, port, role };
}

/** Whether Ray's container runs; a finished sidecar makes a pod unready, but not its Ray. */
function rayRuns(pod: Pod): boolean {
  const name = rayContainer(pod)?.name;
  return pod.status?.containerStatuses?.some((one) => one.name === name && one.ready) ?? false;
}

function roleOf(pod: Pod, port: number): Role | undefined {
  const named = pod.spec.containers.flatMap((one) => one.ports ?? []).find((one) => one.containerPort === port);
  if (named) return roleOfName[named.name ?? ""] ?? usualPorts[port] ?? "other";
  return usualPorts[port];
}

function targetPort(pod: Pod, target: number | string): number {
  if (typeof target === "number") return target;
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return ports.find((port) => port.name === target)?.containerPort ?? 0;
}
