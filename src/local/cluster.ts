// A Kubernetes cluster on this machine: starts its parts in order, knows when they are ready, and ends them all.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { LocalApi } from "./api.ts";
import {
  apiServer,
  type ControlPlaneSettings,
  compactEtcd,
  controllerManager,
  etcd,
  etcdHealthy,
  scheduler,
} from "./control-plane.ts";
import { kubeconfig, writeKubeconfig } from "./kubeconfig.ts";
import { type Lock, tryLock } from "./lock.ts";
import { instanceFolder } from "./paths.ts";
import { openPki, type Pki } from "./pki.ts";
import { freePorts } from "./ports.ts";
import { identify } from "./proc.ts";
import { type ManagedProcess, type ProgramStart, startProcess } from "./process.ts";
import { ensurePrograms, type ProgramName } from "./programs.ts";
import { type Progress, silent } from "./progress.ts";
import { createNodes, kwok } from "./simulated/nodes.ts";
import { relayApiServer, type SimulatedNetwork, startSimulatedRay } from "./simulated-ray/network.ts";
import {
  type AddressRanges,
  endLeftovers,
  type InstanceState,
  isRunning,
  readState,
  removeState,
  writeState,
} from "./state.ts";
import { until } from "./wait.ts";

/** Which cluster to start. Everything has a default. */
export interface LocalClusterOptions {
  /** `none`: no nodes, pods stay Pending; `simulated` (the default): kwok nodes; `real`: see src/local/real. */
  readonly nodes?: "none" | "simulated" | "real";
  /** Instances with different names run side by side; `default` unless told. */
  readonly name?: string;
  /** Where the instance keeps its data; by default under the cache, by name. */
  readonly stateDir?: string;
  /** Throw away the data of an earlier run instead of going on with it. */
  readonly fresh?: boolean;
  readonly simulatedNodes?: number;
  readonly controllerManager?: boolean;
  readonly scheduler?: boolean;
  /** More flags, as `--flag=value`; a later one wins. */
  readonly apiServerFlags?: readonly string[];
  readonly controllerManagerFlags?: readonly string[];
  readonly schedulerFlags?: readonly string[];
  /** An `audit.k8s.io/v1` Policy object: the API server then writes `auditLog`. */
  readonly auditPolicy?: object;
  /** A CA that is to outlive the instance: path of CA.crt and CA.key without the ending. */
  readonly ca?: string;
  readonly progress?: Progress;
  /** Gives up the start when it is aborted. */
  readonly signal?: AbortSignal;
}

/** What {@link startLocalCluster} needs to know to write a kubeconfig for somebody. */
export interface User {
  readonly name: string;
  readonly groups?: readonly string[];
}

const DEFAULT_NODES = 20;

/**
 * Starts a cluster and returns when pods can be created. It ends with {@link LocalCluster.stop}, or with this process,
 * however that ends.
 *
 * @throws Error that names the program that failed, with the end of its log; or that the instance runs already.
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const name = options.name ?? "default";
  if (!/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/.test(name)) {
    throw new Error(`"${name}" is no name of an instance: lower case letters, digits and "-", at most 32`);
  }
  const folder = resolve(options.stateDir ?? instanceFolder(name));
  const lock = await tryLock(`instance ${folder}`);
  if (!lock) throw new Error(`the instance "${name}" runs already (${folder})`);
  const cluster = new LocalCluster(name, folder, lock, options);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.stop({ keep: options.signal?.aborted !== true });
    throw error;
  }
  return cluster;
}

/** A running cluster. */
export class LocalCluster {
  readonly name: string;
  /** The state folder: data, certificates, logs. */
  readonly folder: string;
  readonly nodes: "none" | "simulated" | "real";
  /** Folder of the programs under their usual names, kubectl among them. */
  binDir = "";
  /** `https://127.0.0.1:PORT` */
  url = "";
  ranges: AddressRanges = { pods: "10.244.0.0/16", services: "10.96.0.0/16" };
  /** Milliseconds from the start to ready, in order of the steps. */
  readonly timings: { step: string; ms: number }[] = [];
  readonly #lock: Lock;
  readonly #options: LocalClusterOptions;
  readonly #processes: ManagedProcess[] = [];
  readonly #addresses: Record<string, string> = {};
  readonly #onFailure: ((failed: ManagedProcess) => void)[] = [];
  #pki: Pki | undefined;
  #settings: ControlPlaneSettings | undefined;
  #api: LocalApi | undefined;
  #network: SimulatedNetwork | undefined;
  #relay: Server | undefined;
  #apiPort = 0;
  #startedAt = new Date();
  #ready = false;
  #stopped: Promise<void> | undefined;

  /** Use {@link startLocalCluster}. */
  constructor(name: string, folder: string, lock: Lock, options: LocalClusterOptions) {
    this.name = name;
    this.folder = folder;
    this.nodes = options.nodes ?? "simulated";
    this.#lock = lock;
    this.#options = options;
  }

  /** Path of a kubeconfig of a member of system:masters. */
  get kubeconfig(): string {
    return join(this.folder, "kubeconfig");
  }

  get logFolder(): string {
    return join(this.folder, "log");
  }

  /** Where the API server writes its audit log, when there is an `auditPolicy`. */
  get auditLog(): string {
    return join(this.folder, "audit.log");
  }

  /** Calls to the API server as a member of system:masters. */
  get api(): LocalApi {
    return defined(this.#api);
  }

  get pki(): Pki {
    return defined(this.#pki);
  }

  /** The programs that were started, in order. */
  get processes(): readonly ManagedProcess[] {
    return this.#processes;
  }

  /** @internal Called once, by {@link startLocalCluster}. */
  async start(): Promise<void> {
    const previous = await this.#takeOver();
    await this.#step("programs", () => this.#findPrograms());
    if (this.nodes === "simulated") await this.#step("pod network", () => this.#startSimulatedRay(previous));
    await this.#step("certificates", () => this.#prepare(previous));
    await this.#step("etcd", () => this.#startEtcd());
    await this.#step("API server", () => this.#startApiServer());
    await this.#step("controllers", () => this.#startControllers());
    if (this.nodes === "simulated") await this.#step("nodes", () => this.#startSimulatedNodes());
    this.#ready = true;
    this.#save();
  }

  /**
   * Writes a kubeconfig for any user and groups, by certificate, and returns its path. RBAC and the audit log see
   * this name.
   */
  kubeconfigFor(user: User): string {
    const file = `user-${user.name.replaceAll(/[^\w.-]/g, "_")}`;
    this.pki.issue([{ name: file, commonName: user.name, organizations: user.groups ?? [] }]);
    const path = join(this.folder, `${file}.kubeconfig`);
    writeKubeconfig(path, this.#kubeconfigOf(file));
    return path;
  }

  /** Writes a kubeconfig for a service account, with a token of its own, and returns its path. */
  async kubeconfigForServiceAccount(namespace: string, name: string): Promise<string> {
    const answer = await this.api.request<{ status: { token: string } }>(
      "POST",
      `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
      { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 86_400 } },
    );
    const path = join(this.folder, `serviceaccount-${namespace}-${name}.kubeconfig`);
    writeKubeconfig(path, kubeconfig(this.name, this.url, `${this.pki.ca}.crt`, { token: answer.status.token }));
    return path;
  }

  /** Starts one more program that lives and ends with the cluster. */
  run(start: ProgramStart): ManagedProcess {
    const home = { launcher: join(this.binDir, "ray-local"), logFolder: this.logFolder };
    const started = startProcess(home, start);
    this.#processes.push(started);
    this.#save();
    void started.exited.then(() => {
      if (started.failed && !this.#stopped) for (const tell of this.#onFailure) tell(started);
    });
    return started;
  }

  /** Calls back when a program ends although nobody stopped it. */
  onFailure(tell: (failed: ManagedProcess) => void): void {
    this.#onFailure.push(tell);
  }

  /** Stops the API server, hard when told so; {@link startApiServer} starts it again at the same address. */
  async stopApiServer(how: "gracefully" | "hard" = "gracefully"): Promise<void> {
    await this.#stopProcess("kube-apiserver", how === "hard" ? 0 : 10_000);
  }

  /** Starts the API server again and returns when it is ready. */
  async startApiServer(): Promise<void> {
    await this.#startApiServer();
  }

  /** Stops and starts the API server; its address stays. */
  async restartApiServer(): Promise<void> {
    await this.stopApiServer();
    await this.startApiServer();
  }

  /** Compacts etcd to the present revision: watches from older ones end with 410 Gone. */
  async compactEtcd(): Promise<number> {
    return await compactEtcd(defined(this.#settings));
  }

  /** Whether this machine reaches pods by their addresses; elsewhere only the API server's proxy does. */
  get podsReachable(): boolean {
    return this.nodes === "real" || (this.#network !== undefined && this.#network.proxySocket === undefined);
  }

  /** Shows an address in `local status` and in the table of `make run`. */
  addAddress(what: string, address: string): void {
    this.#addresses[what] = address;
    this.#save();
  }

  get addresses(): Readonly<Record<string, string>> {
    return this.#addresses;
  }

  /** Ends everything. The data is removed unless `keep` is set; logs and data stay after a failed start. */
  stop(how: { readonly keep?: boolean } = {}): Promise<void> {
    this.#stopped ??= this.#stop(how.keep ?? false);
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(keep: boolean): Promise<void> {
    // What uses the API server first, so that nothing complains about its end; etcd last.
    for (const one of this.#processes.filter(({ name }) => !/^(etcd|kube-apiserver)$/.test(name)).reverse()) {
      void one.stop(3_000);
    }
    await Promise.all(
      this.#processes.filter(({ name }) => !/^(etcd|kube-apiserver)$/.test(name)).map((one) => one.stop()),
    );
    await this.#api?.close();
    this.#relay?.close();
    // The API server's orderly end would wait for open watches; what it has acknowledged is in etcd.
    await this.#stopProcess("kube-apiserver", 0);
    await this.#stopProcess("etcd", keep ? 5_000 : 0);
    removeState(this.folder);
    if (!keep) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    await this.#lock.release();
  }

  async #stopProcess(name: string, graceMs: number): Promise<void> {
    await Promise.all(this.#processes.filter((one) => one.name === name).map((one) => one.stop(graceMs)));
  }

  /** Ends what an earlier owner of the folder left behind. */
  async #takeOver(): Promise<InstanceState | undefined> {
    const previous = readState(this.folder);
    if (isRunning(previous) && previous.owner.pid !== process.pid) {
      throw new Error(`the instance "${this.name}" runs already, as process ${previous.owner.pid} (${this.folder})`);
    }
    if (previous) {
      const ended = await endLeftovers(previous);
      if (ended.length > 0) this.#progress.note(`Ended what an earlier run left behind: ${ended.join(", ")}.`);
    }
    if (this.#options.fresh) rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    return previous;
  }

  async #findPrograms(): Promise<void> {
    const names: ProgramName[] = ["ray-local", "etcd", "kube-apiserver", "kubectl"];
    if (this.#options.controllerManager ?? true) names.push("kube-controller-manager");
    if (this.#options.scheduler ?? true) names.push("kube-scheduler");
    if (this.nodes === "simulated") names.push("kwok");
    if (this.nodes === "real") names.push("kubelet", "kube-proxy", "coredns");
    this.binDir = await ensurePrograms(names, this.#progress);
  }

  async #startSimulatedRay(previous: InstanceState | undefined): Promise<void> {
    const run = (start: ProgramStart) => this.run(start);
    const network = await startSimulatedRay(this.folder, run, previous?.ranges);
    this.ranges = network.ranges;
    this.#network = network;
    if (network.reason === undefined) return;
    const text = "Simulated pods are reached through the API server's proxy only, not by their addresses";
    this.#progress.note(`${text}: ${network.reason}.`);
  }

  async #prepare(previous: InstanceState | undefined): Promise<void> {
    const exposed = this.nodes === "real";
    const [apiPort = 0] = await freePorts(1, "127.0.0.1", previous?.apiPort ? [previous.apiPort] : []);
    this.#apiPort = apiPort;
    const advertiseAddress = hostAddress() ?? "192.0.2.1";
    this.url = `https://${exposed ? advertiseAddress : "127.0.0.1"}:${apiPort}`;
    const serviceIp = this.ranges.services.replace(/\.0\/\d+$/, ".1");
    const pki = openPki(join(this.binDir, "ray-local"), join(this.folder, "pki"), this.#options.ca);
    const names = [
      "localhost",
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      "kubernetes.default.svc.cluster.local",
    ];
    pki.issue([
      { name: "apiserver", commonName: "kube-apiserver", hosts: [...names, "127.0.0.1", serviceIp, advertiseAddress] },
      { name: "admin", commonName: "admin", organizations: ["system:masters"] },
      { name: "front-proxy", commonName: "front-proxy" },
    ]);
    this.#pki = pki;
    this.#settings = {
      binDir: this.binDir,
      folder: this.folder,
      pki,
      apiPort,
      bindAddress: exposed ? "0.0.0.0" : "127.0.0.1",
      advertiseAddress,
      ranges: this.ranges,
      allocateNodeCidrs: exposed,
      apiServerFlags: this.#options.apiServerFlags ?? [],
      controllerManagerFlags: this.#options.controllerManagerFlags ?? [],
      schedulerFlags: this.#options.schedulerFlags ?? [],
      auditPolicy: this.#options.auditPolicy,
      podSocket: this.#network?.proxySocket,
    };
    if (this.#network) this.#relay = relayApiServer(this.folder, apiPort);
    writeKubeconfig(this.kubeconfig, this.#kubeconfigOf("admin"));
    const read = (file: string) => readFileSync(file, "utf8");
    this.#api = new LocalApi({
      url: this.url,
      ca: read(`${pki.ca}.crt`),
      cert: read(pki.path("admin.crt")),
      key: read(pki.path("admin.key")),
    });
  }

  async #startEtcd(): Promise<void> {
    const settings = defined(this.#settings);
    const started = this.run(etcd(settings));
    await until("etcd", 30_000, () => etcdHealthy(settings), this.#failsWith(started));
  }

  async #startApiServer(): Promise<void> {
    const started = this.run(apiServer(defined(this.#settings)));
    await until("the API server", 60_000, () => this.api.answers("/readyz"), this.#failsWith(started));
  }

  async #startControllers(): Promise<void> {
    const settings = defined(this.#settings);
    if (this.#options.scheduler ?? true) this.run(scheduler(settings));
    if (!(this.#options.controllerManager ?? true)) return;
    const started = this.run(controllerManager(settings));
    // Without its namespace's service account no pod can be created.
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await until("the controller manager", 60_000, () => this.api.answers(account), this.#failsWith(started));
  }

  async #startSimulatedNodes(): Promise<void> {
    const started = this.run(kwok(this.binDir, this.folder, this.ranges.pods));
    await createNodes(this.api, this.#options.simulatedNodes ?? DEFAULT_NODES, this.#failsWith(started));
  }

  /** What ends a wait: the program that is waited for has ended, or the user wants no more. */
  #failsWith(started: ManagedProcess): () => void {
    return () => {
      this.#options.signal?.throwIfAborted();
      if (started.failed) throw started.failure();
    };
  }

  #kubeconfigOf(certificate: string): object {
    const identity = { certificate: this.pki.path(`${certificate}.crt`), key: this.pki.path(`${certificate}.key`) };
    return kubeconfig(this.name, this.url, `${this.pki.ca}.crt`, identity);
  }

  async #step(step: string, work: () => Promise<void>): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const started = performance.now();
    await work();
    this.timings.push({ step, ms: Math.round(performance.now() - started) });
  }

  #save(): void {
    const owner = identify(process.pid);
    if (!owner || this.#stopped) return;
    writeState(this.folder, {
      name: this.name,
      nodes: this.nodes,
      owner,
      processes: this.#processes
        .filter((one) => one.ended === undefined)
        .map((one) => ({ name: one.name, ...one.identity })),
      startedAt: this.#startedAt.toISOString(),
      ready: this.#ready,
      apiPort: this.#apiPort,
      url: this.url,
      kubeconfig: this.kubeconfig,
      ranges: this.ranges,
      addresses: this.#addresses,
    });
  }

  get #progress(): Progress {
    return this.#options.progress ?? silent;
  }
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the cluster has not been started");
  return value;
}

/** The first address of this machine that is not a loopback one; undefined without any network. */
function hostAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find((one) => one.family === "IPv4" && !one.internal && !one.address.startsWith("169.254."))?.address;
}
