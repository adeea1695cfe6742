// Where a real node keeps things on its machine. The places are fixed, not below the cluster's state folder: there is
// one real node per machine, so whoever starts the next one finds what a killed one left, whichever checkout it was.

import { join } from "node:path";
import { cacheFolder } from "../paths.ts";

/** Sockets, network namespaces and mounts; gone after a reboot. */
export const runFolder = "/run/ray-operator-node";

/** What must not be in memory: the kubelet's volumes, pod logs, configuration files. */
export const nodeFolder = "/var/lib/ray-operator-node";

export const containerdSocket = join(runFolder, "containerd.sock");
export const containerdState = join(runFolder, "containerd");
/** Addresses given to pods (host-local IPAM). */
export const addressFolder = join(runFolder, "addresses");
/** Who has the node: see owner.ts. */
export const ownerFile = join(runFolder, "owner.json");

export const kubeletRoot = join(nodeFolder, "kubelet");
export const podLogs = join(nodeFolder, "pods");
export const networkConfigs = join(nodeFolder, "cni");
export const registryConfigs = join(nodeFolder, "registries");

/** Images and their unpacked layers: kept, because importing them again would take three times as long as a start. */
export function containerdRoot(): string {
  return join(cacheFolder(), "containerd");
}

/** Written by kube-controller-manager's host-path provisioner, which has no setting for it. */
export const hostPathVolumes = "/tmp/hostpath_pv";

/** The name of the pod network, which the comments of its iptables rules carry, and of its bridge. */
export const networkName = "ray-operator";
export const bridge = "ray-node0";

export const nodeName = "node1";

/** All pods' control groups are below this one, so that a killed node's processes are found. */
export const cgroupRoot = "/ray-operator-node";
