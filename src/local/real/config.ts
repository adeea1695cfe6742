// The configuration files of the node's programs, as pure functions of its addresses and folders.

import { join } from "node:path";
import {
  addressFolder,
  bridge,
  cgroupRoot,
  containerdSocket,
  containerdState,
  kubeletRoot,
  networkConfigs,
  networkName,
  nodeName,
  podLogs,
  registryConfigs,
} from "./paths.ts";

export interface NodeAddresses {
  /** The host's own address, which the API server dials for logs, exec and port-forward. */
  readonly node: string;
  /** CoreDNS: in the part of the service range that the API server allocates last. */
  readonly dns: string;
  /** CIDR of this node's pods. */
  readonly nodePods: string;
  /** CIDR of the pods of all nodes. */
  readonly pods: string;
}

/** containerd's `config.toml` (version 2: containerd 1.4 to 1.7, and converted by 2.x). */
export function containerdConfig(root: string, sandboxImage: string, cniPlugins: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${quote(root)}
state = ${quote(containerdState)}
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = ${quote(containerdSocket)}
[${cri}]
  sandbox_image = ${quote(sandboxImage)}
  # without CAP_SYS_RESOURCE runc cannot lower a score, and no container would start
  restrict_oom_score_adj = true
  # so that a killed node's namespaces are found below one folder, and no one else's are
  netns_mounts_under_state_dir = true
  [${cri}.registry]
    config_path = ${quote(registryConfigs)}
  [${cri}.cni]
    bin_dir = ${quote(cniPlugins)}
    conf_dir = ${quote(networkConfigs)}
  [${cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [${cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}

/**
 * The pod network: a bridge on the host. Masquerading is one rule of the node (network.ts) instead of the plugin's
 * two rules a pod, which take a process and the iptables lock each time.
 */
export function networkConfig(addresses: NodeAddresses): string {
  return toJson({
    cniVersion: "0.4.0",
    name: networkName,
    plugins: [
      {
        type: "bridge",
        bridge,
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: addressFolder,
          ranges: [[{ subnet: addresses.nodePods }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}

export interface KubeletFiles {
  readonly clientCa: string;
  readonly certificate: string;
  readonly key: string;
}

/** KubeletConfiguration (kubelet.config.k8s.io/v1beta1), as JSON, which the kubelet reads like YAML. */
export function kubeletConfig(addresses: NodeAddresses, files: KubeletFiles, port: number): string {
  return toJson({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: files.clientCa },
    },
    authorization: { mode: "AlwaysAllow" },
    tlsCertFile: files.certificate,
    tlsPrivateKeyFile: files.key,
    port,
    healthzPort: 0,
    cgroupDriver: "cgroupfs",
    cgroupRoot,
    enforceNodeAllocatable: [],
    // kube-proxy brings all the rules there need to be, and removes them again
    makeIPTablesUtilChains: false,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDNS: [addresses.dns],
    clusterDomain: "cluster.local",
    resolvConf: "/etc/resolv.conf",
    volumePluginDir: join(kubeletRoot, "volume-plugins"),
    podLogsDir: podLogs,
    maxPods: 240,
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    localStorageCapacityIsolation: false,
    // The images are nowhere to be pulled from: a disk that is 85 % full must not cost them.
    imageGCHighThresholdPercent: 100,
    registryPullQPS: 0,
    // The status is written at the start and then once a day, so that the CPUs patched in stay; the lease shows life.
    nodeStatusUpdateFrequency: "24h",
    nodeStatusReportFrequency: "24h",
    // Pods and their containers come up as fast as the machine allows.
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    eventRecordQPS: 0,
  });
}

/** KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1). */
export function proxyConfig(addresses: NodeAddresses, kubeconfig: string, ports: readonly number[]): string {
  const [metrics, health] = ports;
  return toJson({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig },
    mode: "iptables",
    clusterCIDR: addresses.pods,
    hostnameOverride: nodeName,
    conntrack: { maxPerCore: 0 },
    // A new service's address answers as soon as its rules are written; the default lets up to a second pass.
    iptables: { minSyncPeriod: "100ms" },
    metricsBindAddress: `127.0.0.1:${metrics}`,
    healthzBindAddress: `127.0.0.1:${health}`,
  });
}

/** CoreDNS' Corefile: cluster names from the API server, all others as the host resolves them. */
export function corefile(addresses: NodeAddresses, kubeconfig: string): string {
  return `.:53 {
  bind ${addresses.dns}
  errors
  cache 2
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${quote(kubeconfig)}
    pods insecure
    ttl 2
  }
  forward . /etc/resolv.conf
}
`;
}

/**
 * Makes the runtime ask a server on this host first, for images of any registry (containerd's `_default/hosts.toml`).
 * What that server does not have is asked for where its name says.
 */
export function registryHosts(url: string): string {
  return `[host.${quote(url)}]\n  capabilities = ["pull", "resolve"]\n`;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A TOML basic string; JSON's escapes are a subset of TOML's. */
function quote(text: string): string {
  return JSON.stringify(text);
}
