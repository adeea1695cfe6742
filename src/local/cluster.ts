// A Kubernetes cluster on this machine: starts its parts in order, knows when they are ready, and ends them all.

import { mkdirSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import type { LocalApi } from "./api.ts";
import {
  apiServer,
  type ControlPlaneSettings,
  compactEtcd,
  controllerManager,
  etcd,
  etcdHealthy,
  scheduler,
} from "./control-plane.ts";
import {
  issueControlPlaneCertificates,
  kubeconfigFor,
  kubeconfigForServiceAccount,
  openAsAdmin,
  type User,
} from "./credentials.ts";
import { type Lock, tryLock } from "./lock.ts";
import type { LocalClusterOptions } from "./options.ts";
import { instanceFolder } from "./paths.ts";
import { openPki, type Pki } from "./pki.ts";
import { freePorts } from "./ports.ts";
import { identify } from "./proc.ts";
import type { ManagedProcess, ProgramStart } from "./process.ts";
import { ProgramSet } from "./program-set.ts";
import { ensurePrograms, type ProgramName } from "./programs.ts";
import { formatElapsed, type Progress, silent } from "./progress.ts";
import { createNodes, forgetNodeLeases, kwok } from "./simulated/nodes.ts";
import { relayApiServer, type SimulatedNetwork, startSimulatedRay } from "./simulated-ray/network.ts";
import {
  type AddressRanges,
  endLeftovers,
  type InstanceState,
  isRunning,
  readState,
  recordEnd,
  writeState,
} from "./state.ts";
import { until } from "./wait.ts";

export type { User } from "./credentials.ts";
export type { LocalClusterOptions } from "./options.ts";

/**
 * Starts a cluster and returns when pods can be created. It ends with {@link LocalCluster.stop}, or with this process,
 * however that ends.
 *
 * @throws Error that names the program that failed, with the end of its log; or that the instance runs already.
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  if (process.platform !== "linux") throw new Error("a Kubernetes on this machine needs Linux");
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

const DEFAULT_NODES = 20;
/** How long a start waits for its old port. */
const PORT_PATIENCE_MS = 2_000;
/** The ranges of a cluster without simulated pods. */
const USUAL_RANGES: AddressRanges = { pods: "10.244.0.0/16", services: "10.96.0.0/16" };

/** A running cluster. */
export class LocalCluster {
  readonly name: string;
  /** The state folder: data, certificates, logs. */
  readonly folder: string;
  readonly nodes: "none" | "simulated" | "real";
  /** Folder of the programs under their usual names, kubectl among them. */
  binDir = "";
  /** `https://127.0.0.1:PORT`, or this machine's own address where pods must reach it. */
  url = "";
  ranges: AddressRanges = USUAL_RANGES;
  /** How long the steps of the start took, in their order. */
  readonly timings: { step: string; ms: number }[] = [];
  readonly #lock: Lock;
  readonly #options: LocalClusterOptions;
  readonly #programs = new ProgramSet(() => this.#save());
  readonly #addresses: Record<string, string> = {};
  readonly #startedAt = new Date().toISOString();
  #pki: Pki | undefined;
  #settings: ControlPlaneSettings | undefined;
  #api: LocalApi | undefined;
  #network: SimulatedNetwork | undefined;
  #relay: Server | undefined;
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
    return this.#programs.all;
  }

  /** Whether this machine reaches pods by their addresses; elsewhere only the API server's proxy does. */
  get podsReachable(): boolean {
    return this.nodes === "real" || (this.#network !== undefined && this.#network.proxySocket === undefined);
  }

  get addresses(): Readonly<Record<string, string>> {
    return this.#addresses;
  }

  /** Shows an address in `local status` and in the table of `make run`. */
  addAddress(what: string, address: string): void {
    this.#addresses[what] = address;
    this.#save();
  }

  /** Writes a kubeconfig for any user and groups and returns its path: RBAC and the audit log see this name. */
  kubeconfigFor(user: User): string {
    return kubeconfigFor(this, user);
  }

  /** Writes a kubeconfig for a service account, with a token of its own, and returns its path. */
  kubeconfigForServiceAccount(namespace: string, name: string): Promise<string> {
    return kubeconfigForServiceAccount(this, this.api, namespace, name);
  }

  /** Starts one more program that lives and ends with the cluster. */
  run(start: ProgramStart): ManagedProcess {
    return this.#programs.start({ launcher: join(this.binDir, "ray-local"), logFolder: this.logFolder }, start);
  }

  /** Calls back when a program ends although nobody stopped it. */
  onFailure(tell: (failed: ManagedProcess) => void): void {
    this.#programs.onFailure(tell);
  }

  /** Stops the API server, hard when told so; {@link startApiServer} starts it again at the same address. */
  async stopApiServer(how: "gracefully" | "hard" = "gracefully"): Promise<void> {
    await this.#programs.stop("kube-apiserver", how === "hard" ? 0 : 10_000);
  }

  /** Starts the API server and returns when it is ready. */
  async startApiServer(): Promise<void> {
    const started = this.run(apiServer(defined(this.#settings)));
    await until("the API server", 60_000, () => this.api.answers("/readyz"), this.#failsWith(started));
  }

  /** Stops and starts the API server; its address stays. */
  async restartApiServer(): Promise<void> {
    await this.stopApiServer();
    await this.startApiServer();
  }

  /** Compacts etcd to the present revision. What the API server's own cache holds of the past ends with its restart. */
  async compactEtcd(): Promise<number> {
    return await compactEtcd(defined(this.#settings));
  }

  /** Ends everything. The data is removed unless `keep` is set. */
  stop(how: { readonly keep?: boolean } = {}): Promise<void> {
    this.#stopped ??= this.#stop(how.keep ?? false);
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(keep: boolean): Promise<void> {
    // What uses the API server first, so that nothing complains about its end; etcd last.
    await this.#programs.stopAllBut(["etcd", "kube-apiserver"]);
    this.#api?.close();
    this.#relay?.close();
    // The API server's orderly end would wait for open watches; what it has acknowledged is in etcd.
    await this.#programs.stop("kube-apiserver", 0);
    await this.#programs.stop("etcd", keep ? 5_000 : 0);
    recordEnd(this.folder);
    if (!keep) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    await this.#lock.release();
  }

  /** @internal Called once, by {@link startLocalCluster}. */
  async start(): Promise<void> {
    const previous = await this.#takeOver();
    await this.#step("programs", () => this.#findPrograms());
    const started = performance.now();
    const task = this.#progress.task("Starting Kubernetes");
    try {
      await this.#startParts(previous, (step) => task.update(step));
    } catch (error) {
      task.failed();
      throw error;
    }
    task.done(`Kubernetes is ready: ${this.url} (${formatElapsed(performance.now() - started)}).`);
    this.#ready = true;
    this.#save();
  }

  async #startParts(previous: InstanceState | undefined, tell: (step: string) => void): Promise<void> {
    const simulated = this.nodes === "simulated";
    const steps: [string, () => Promise<void>][] = [
      ["certificates", () => this.#prepare(previous)],
      ["etcd", () => this.#startEtcd()],
      ["API server", () => this.startApiServer()],
      ["controllers", () => this.#startControllers()],
    ];
    if (simulated) steps.unshift(["pod network", () => this.#startSimulatedRay(previous)]);
    if (simulated) steps.push(["nodes", () => this.#startSimulatedNodes()]);
    for (const [step, work] of steps) {
      tell(step);
      await this.#step(step, work);
    }
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
    const otherNodes = previous !== undefined && previous.nodes !== this.nodes;
    if (otherNodes)
      this.#progress.note(`Dropping the data of an earlier run, whose nodes were others (${previous.nodes}).`);
    const fresh = otherNodes || this.#options.fresh === true;
    if (fresh) rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    return fresh ? undefined : previous;
  }

  async #findPrograms(): Promise<void> {
    const names: ProgramName[] = ["ray-local", "etcd", "kube-apiserver", "kubectl"];
    if (this.#options.controllerManager ?? true) names.push("kube-controller-manager");
    if (this.#options.scheduler ?? true) names.push("kube-scheduler");
    if (this.nodes === "simulated") names.push("kwok");
    if (this.nodes === "real") names.push("kubelet", "kube-proxy", "coredns");
    this.binDir = await ensurePrograms(names, this.#progress);
  }

  /** The network comes before the control plane, which has to know its ranges. */
  async #startSimulatedRay(previous: InstanceState | undefined): Promise<void> {
    const network = await startSimulatedRay(this.folder, (start) => this.run(start), previous?.ranges);
    this.ranges = network.ranges;
    this.#network = network;
    if (network.reason === undefined) return;
    const text = "Simulated pods are reached through the API server's proxy only, not by their addresses";
    this.#progress.note(`${text}: ${network.reason}.`);
  }

  async #prepare(previous: InstanceState | undefined): Promise<void> {
    const exposed = this.nodes === "real";
    const [apiPort = 0] = await freePorts(
      1,
      "127.0.0.1",
      previous?.apiPort ? [previous.apiPort] : [],
      PORT_PATIENCE_MS,
    );
    // Nobody calls the address that is only advertised; it must not be a loopback one.
    const advertiseAddress = hostAddress() ?? "192.0.2.1";
    this.url = `https://${exposed ? advertiseAddress : "127.0.0.1"}:${apiPort}`;
    const pki = openPki(join(this.binDir, "ray-local"), join(this.folder, "pki"));
    const serviceAddress = this.ranges.services.replace(/\.0\/\d+$/, ".1");
    issueControlPlaneCertificates(pki, ["127.0.0.1", serviceAddress, advertiseAddress]);
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
    this.#api = openAsAdmin(this, this.kubeconfig);
  }

  async #startEtcd(): Promise<void> {
    const settings = defined(this.#settings);
    const started = this.run(etcd(settings));
    await until("etcd", 30_000, () => etcdHealthy(settings), this.#failsWith(started));
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
    await forgetNodeLeases(this.api);
    const started = this.run(kwok(this.binDir, this.folder, this.ranges.pods));
    await createNodes(this.api, this.#options.simulatedNodes ?? DEFAULT_NODES, this.#failsWith(started));
  }

  async #step(step: string, work: () => Promise<void>): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const started = performance.now();
    await work();
    this.timings.push({ step, ms: Math.round(performance.now() - started) });
  }

  /** What ends a wait: the program that is waited for has ended, or the user wants no more. */
  #failsWith(started: ManagedProcess): () => void {
    return () => {
      this.#options.signal?.throwIfAborted();
      if (started.failed) throw started.failure();
    };
  }

  #save(): void {
    const owner = identify(process.pid);
    if (!owner || this.#stopped) return;
    writeState(this.folder, {
      name: this.name,
      nodes: this.nodes,
      owner,
      processes: this.#programs.running,
      startedAt: this.#startedAt,
      ready: this.#ready,
      url: this.url,
      kubeconfig: this.kubeconfig,
      ranges: this.ranges,
      addresses: this.#addresses,
      ...(this.#settings ? { apiPort: this.#settings.apiPort } : {}),
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
