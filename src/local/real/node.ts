// The node's programs: configured, started in order, and ended with everything they set on the host.

import { chmodSync, type FSWatcher, mkdirSync, statSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LocalApi } from "../api.ts";
import { ensureImages } from "../image/build.ts";
import { aliases, pauseImage } from "../image/recipe.ts";
import { kubeconfig, writeKubeconfig } from "../kubeconfig.ts";
import type { Lock } from "../lock.ts";
import type { Pki } from "../pki.ts";
import { freePorts } from "../ports.ts";
import type { ManagedProcess } from "../process.ts";
import { formatElapsed, type Progress } from "../progress.ts";
import type { AddressRanges } from "../state.ts";
import { until } from "../wait.ts";
import { isReadySince, keepCpus, type NodeObject } from "./capacity.ts";
import { corefile, kubeletConfig, type NodeAddresses, networkConfig, proxyConfig, registryHosts } from "./config.ts";
import {
  importImages,
  layoutImages,
  type RunProgram,
  removeContainers,
  startContainerd,
  tagImage,
} from "./containerd.ts";
import { cgroupFolders, endProcesses, removeCgroups, removeFolders, unmountAll } from "./debris.ts";
import { setUpNetwork, tearDownNetwork } from "./network.ts";
import { recordOwner } from "./owner.ts";
import {
  containerdRoot,
  hostPathVolumes,
  kubeletRoot,
  networkConfigs,
  nodeFolder,
  nodeName,
  podLogs,
  registryConfigs,
} from "./paths.ts";
import { cniPluginFolder } from "./prerequisites.ts";
import { Registry } from "./registry.ts";

/** What a real node needs of its control plane; a `LocalCluster` started with `nodes: "real"` is one. */
export interface NodeCluster {
  readonly folder: string;
  readonly binDir: string;
  /** With an address that pods reach. */
  readonly url: string;
  readonly ranges: AddressRanges;
  /** Path of a kubeconfig of a member of system:masters. */
  readonly kubeconfig: string;
  readonly pki: Pki;
  readonly api: LocalApi;
  readonly run: RunProgram;
}

export interface RealNodeOptions {
  /** CPUs that the node says it has; the scheduler counts requests, so more than the host has is fine. Default 16. */
  readonly cpus?: number;
  /** Further tags of docker.io/rayproject/ray that stand for the one Ray image, beside those of recipe.ts. */
  readonly rayImageTags?: readonly string[];
  readonly progress: Progress;
}

/** A running node. */
export interface RealNode {
  readonly name: string;
  /** Where CoreDNS answers, for pods and for the host. */
  readonly dnsAddress: string;
  /** Milliseconds of each step of the start. */
  readonly timings: readonly { readonly step: string; readonly ms: number }[];
  /**
   * Makes an image known to the node under further names.
   *
   * @param layout an OCI layout folder, or a tar of one, with one image
   * @param names fully qualified, with a tag
   */
  importImage(layout: string, names: readonly string[]): Promise<void>;
  /** Ends all containers and programs and takes back what was set on the host. The images stay in the cache. */
  stop(): Promise<void>;
}

/** Use `startRealNode` of index.ts. */
export class RunningNode implements RealNode {
  readonly name = nodeName;
  readonly timings: { step: string; ms: number }[] = [];
  readonly #cluster: NodeCluster;
  readonly #options: RealNodeOptions;
  readonly #lock: Lock;
  readonly #addresses: NodeAddresses;
  readonly #registry = new Registry();
  readonly #ending = new AbortController();
  /** In the order of their start. */
  readonly #programs: ManagedProcess[] = [];
  #volumes: FSWatcher | undefined;
  #stopped: Promise<void> | undefined;

  constructor(cluster: NodeCluster, options: RealNodeOptions, lock: Lock) {
    this.#cluster = cluster;
    this.#options = options;
    this.#lock = lock;
    this.#addresses = addressesOf(cluster);
  }

  get dnsAddress(): string {
    return this.#addresses.dns;
  }

  async start(): Promise<void> {
    const images = await this.#step("image", () => ensureImages(this.#options.progress));
    recordOwner(this.#cluster.folder, this.dnsAddress);
    await this.#step("configuration", () => this.#prepare());
    await this.#step("containerd", () => this.#startContainerd());
    await Promise.all([
      this.#step("images", () => this.#loadImages(images)),
      this.#step("network", () => this.#startNetwork()),
    ]);
    await this.#step("kubelet", () => this.#startKubelet());
  }

  async importImage(layout: string, names: readonly string[]): Promise<void> {
    await importImages(layout);
    for (const [name, digest] of layoutImages(layout) ?? []) {
      await tagImage(
        name,
        names.filter((other) => other !== name),
      );
      for (const known of [name, ...names]) this.#registry.add(known, layout, digest);
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#ending.abort();
    this.#volumes?.close();
    const [containerd, ...others] = this.#programs;
    await Promise.all(others.map((program) => program.stop(3_000)));
    if (containerd && containerd.ended === undefined) await removeContainers().catch(() => undefined);
    await containerd?.stop();
    await this.#registry.close();
    await removeDebris(this.dnsAddress);
    await this.#lock.release();
  }

  async #prepare(): Promise<void> {
    for (const folder of [nodeFolder, networkConfigs, podLogs, kubeletRoot, join(registryConfigs, "_default")]) {
      mkdirSync(folder, { recursive: true, mode: 0o711 });
    }
    for (const folder of cgroupFolders()) mkdirSync(folder, { recursive: true });
    const [port = 0, ...ports] = await freePorts(3, "0.0.0.0", [10250, 10249, 10256]);
    writeFileSync(join(registryConfigs, "_default", "hosts.toml"), registryHosts(await this.#registry.listen()));
    writeFileSync(join(networkConfigs, "10-ray-operator.conflist"), networkConfig(this.#addresses));
    writeFileSync(join(nodeFolder, "Corefile"), corefile(this.#addresses, this.#cluster.kubeconfig));
    writeFileSync(join(nodeFolder, "kube-proxy.json"), proxyConfig(this.#addresses, this.#cluster.kubeconfig, ports));

    const { pki, url } = this.#cluster;
    const hosts = [nodeName, this.#addresses.node];
    pki.issue([{ name: "kubelet", commonName: `system:node:${nodeName}`, organizations: ["system:nodes"], hosts }]);
    const identity = { certificate: pki.path("kubelet.crt"), key: pki.path("kubelet.key") };
    writeKubeconfig(join(nodeFolder, "kubelet.kubeconfig"), kubeconfig(nodeName, url, `${pki.ca}.crt`, identity));
    const files = { clientCa: `${pki.ca}.crt`, ...identity };
    writeFileSync(join(nodeFolder, "kubelet.json"), kubeletConfig(this.#addresses, files, port));
  }

  async #startContainerd(): Promise<void> {
    const run: RunProgram = (start) => {
      const program = this.#cluster.run(start);
      this.#programs[0] = program;
      return program;
    };
    await startContainerd(run, pauseImage.name, cniPluginFolder() ?? "");
  }

  async #loadImages(layout: string): Promise<void> {
    const started = performance.now();
    const task = this.#options.progress.task("Importing the Ray image into containerd");
    const imported = await importImages(layout).catch((error: unknown) => {
      task.failed();
      throw error;
    });
    const more = (this.#options.rayImageTags ?? []).map((tag) => `docker.io/rayproject/ray:${tag}`);
    for (const [name, digest] of layoutImages(layout) ?? []) {
      const names = [...(aliases[name] ?? []), ...(name.startsWith("docker.io/rayproject/ray:") ? more : [])];
      await tagImage(name, names);
      for (const known of [name, ...names]) this.#registry.add(known, layout, digest);
    }
    const what = imported ? "Imported the Ray image into containerd" : "The Ray image is in containerd";
    task.done(`${what} (${formatElapsed(performance.now() - started)}).`);
  }

  async #startNetwork(): Promise<void> {
    await setUpNetwork(this.#addresses);
    this.#run("coredns", "coredns", ["-conf", join(nodeFolder, "Corefile")]);
    this.#run("kube-proxy", "kube-proxy", [`--config=${join(nodeFolder, "kube-proxy.json")}`]);
  }

  async #startKubelet(): Promise<void> {
    const { api } = this.#cluster;
    await this.#offerVolumes();
    const started = Date.now();
    this.#run("kubelet", "kubelet", [
      `--kubeconfig=${join(nodeFolder, "kubelet.kubeconfig")}`,
      `--config=${join(nodeFolder, "kubelet.json")}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${this.#addresses.node}`,
      `--root-dir=${kubeletRoot}`,
      `--cert-dir=${join(kubeletRoot, "pki")}`,
    ]);
    const check = () => {
      for (const program of this.#programs) if (program.failed) throw program.failure();
    };
    const path = `/api/v1/nodes/${nodeName}`;
    const isReady = async () => isReadySince(await api.get<NodeObject>(path).catch(() => undefined), started);
    await until("the node to be Ready", 90_000, isReady, check, 100);
    await keepCpus(api, nodeName, this.#options.cpus ?? 16, this.#ending.signal);
  }

  /** A default storage class: kube-controller-manager makes a folder per volume, which only root may use. */
  async #offerVolumes(): Promise<void> {
    await this.#cluster.api.createIfMissing("/apis/storage.k8s.io/v1/storageclasses", {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
      provisioner: "kubernetes.io/host-path",
      reclaimPolicy: "Delete",
    });
    mkdirSync(hostPathVolumes, { recursive: true });
    this.#volumes = watch(hostPathVolumes, (_, name) => {
      const folder = join(hostPathVolumes, name ?? "");
      try {
        // a look first: chmod is an event, too
        if (name && (statSync(folder).mode & 0o777) !== 0o777) chmodSync(folder, 0o777);
      } catch {
        // removed again
      }
    });
    this.#volumes.unref();
  }

  #run(name: string, program: string, args: readonly string[]): ManagedProcess {
    const command = join(this.#cluster.binDir, program);
    const started = this.#cluster.run({ name, command, args, cwd: nodeFolder });
    this.#programs.push(started);
    return started;
  }

  async #step<T>(step: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.timings.push({ step, ms: Math.round(performance.now() - started) });
    return result;
  }
}

/** Removes everything that a node leaves on its host. Does nothing where there is nothing. */
export async function removeDebris(dns: string | undefined): Promise<void> {
  await endProcesses();
  await unmountAll(containerdRoot());
  await tearDownNetwork(dns);
  removeCgroups();
  removeFolders();
}

/** The node's addresses within the cluster's ranges: see {@link NodeAddresses}. */
function addressesOf(cluster: NodeCluster): NodeAddresses {
  const { pods, services } = cluster.ranges;
  const inServices = (last: number) => services.replace(/\d+\/\d+$/, `${last}`);
  return {
    node: new URL(cluster.url).hostname,
    dns: inServices(10),
    pods,
    nodePods: pods.replace(/\/\d+$/, "/24"),
  };
}
