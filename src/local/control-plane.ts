// etcd, the API server, the controller manager and the scheduler of an instance: their flags, and when they are ready.

import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { Pki } from "./pki.ts";
import type { ProgramStart } from "./process.ts";
import type { AddressRanges } from "./state.ts";

/** Everything the flags depend on. All paths are absolute. */
export interface ControlPlaneSettings {
  readonly binDir: string;
  readonly folder: string;
  readonly pki: Pki;
  readonly apiPort: number;
  /** `127.0.0.1`, or `0.0.0.0` where pods must reach it. */
  readonly bindAddress: string;
  /** What the endpoint of the Service `kubernetes` says; the API server accepts no loopback address. */
  readonly advertiseAddress: string;
  readonly ranges: AddressRanges;
  /** For real nodes: each gets a part of the pod range. */
  readonly allocateNodeCidrs: boolean;
  readonly apiServerFlags: readonly string[];
  readonly controllerManagerFlags: readonly string[];
  readonly schedulerFlags: readonly string[];
  /** An `audit.k8s.io/v1` Policy; the log goes to `audit.log` in the folder. */
  readonly auditPolicy?: object | undefined;
  /** Unix socket of the simulated pods in the folder, where no route leads to them (see egressFlags). */
  readonly podSocket?: string | undefined;
}

// etcd names its sockets after host and port of the URL, relative to its working directory. A socket in a private
// folder needs no port, and no other user of the machine can reach the data.
const ETCD_SOCKET = "client.sock:0";
const ETCD_URL = `unix://${ETCD_SOCKET}`;
const ETCD_PEER_URL = "unix://peer.sock:0";

const etcdFolder = (settings: ControlPlaneSettings): string => join(settings.folder, "etcd");

export function etcd(settings: ControlPlaneSettings): ProgramStart {
  const cwd = etcdFolder(settings);
  mkdirSync(cwd, { recursive: true, mode: 0o700 });
  const args = [
    "--name=local",
    "--data-dir=data",
    // The data need not survive a power cut, and waiting for the disk would be most of a start's time.
    "--unsafe-no-fsync",
    `--listen-client-urls=${ETCD_URL}`,
    `--advertise-client-urls=${ETCD_URL}`,
    `--listen-peer-urls=${ETCD_PEER_URL}`,
    `--initial-advertise-peer-urls=${ETCD_PEER_URL}`,
    `--initial-cluster=local=${ETCD_PEER_URL}`,
    "--quota-backend-bytes=6000000000",
    "--log-level=warn",
  ];
  return { name: "etcd", command: join(settings.binDir, "etcd"), args, cwd };
}

/** Whether etcd answers that it is healthy. */
export async function etcdHealthy(settings: ControlPlaneSettings): Promise<boolean> {
  if (!existsSync(join(etcdFolder(settings), ETCD_SOCKET))) return false;
  const answer = await callEtcd(settings, "GET", "/health").catch(() => "");
  return answer.includes('"health":"true"');
}

/** Forgets all revisions but the present one, which it returns. */
export async function compactEtcd(settings: ControlPlaneSettings): Promise<number> {
  const range = await callEtcd(settings, "POST", "/v3/kv/range", { key: "AA==", limit: "1" });
  const revision = (JSON.parse(range) as { header: { revision: string } }).header.revision;
  await callEtcd(settings, "POST", "/v3/kv/compaction", { revision, physical: true });
  return Number(revision);
}

export function apiServer(settings: ControlPlaneSettings): ProgramStart {
  const { pki } = settings;
  const args = [
    `--etcd-servers=${ETCD_URL}`,
    `--bind-address=${settings.bindAddress}`,
    `--advertise-address=${settings.advertiseAddress}`,
    `--secure-port=${settings.apiPort}`,
    `--service-cluster-ip-range=${settings.ranges.services}`,
    `--tls-cert-file=${pki.path("apiserver.crt")}`,
    `--tls-private-key-file=${pki.path("apiserver.key")}`,
    `--client-ca-file=${pki.ca}.crt`,
    `--kubelet-client-certificate=${pki.path("admin.crt")}`,
    `--kubelet-client-key=${pki.path("admin.key")}`,
    // By default a node's Hostname is dialled first, which no DNS knows.
    "--kubelet-preferred-address-types=InternalIP",
    `--service-account-key-file=${pki.path("sa.pub")}`,
    `--service-account-signing-key-file=${pki.path("sa.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--authorization-mode=Node,RBAC",
    "--allow-privileged=true",
    "--enable-aggregator-routing=true",
    `--requestheader-client-ca-file=${pki.ca}.crt`,
    `--proxy-client-cert-file=${pki.path("front-proxy.crt")}`,
    `--proxy-client-key-file=${pki.path("front-proxy.key")}`,
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ...auditFlags(settings),
    ...egressFlags(settings),
    ...settings.apiServerFlags,
  ];
  return { name: "kube-apiserver", command: join(settings.binDir, "kube-apiserver"), args, cwd: etcdFolder(settings) };
}

export function controllerManager(settings: ControlPlaneSettings): ProgramStart {
  const args = [
    `--kubeconfig=${join(settings.folder, "kubeconfig")}`,
    "--leader-elect=false",
    `--service-account-private-key-file=${settings.pki.path("sa.key")}`,
    `--root-ca-file=${settings.pki.ca}.crt`,
    "--use-service-account-credentials=false",
    `--allocate-node-cidrs=${settings.allocateNodeCidrs}`,
    ...(settings.allocateNodeCidrs
      ? [`--cluster-cidr=${settings.ranges.pods}`, `--service-cluster-ip-range=${settings.ranges.services}`]
      : []),
    "--enable-hostpath-provisioner=true",
    // No port of its own, so that several instances run on one machine.
    "--secure-port=0",
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
    "--concurrent-gc-syncs=50",
    ...settings.controllerManagerFlags,
  ];
  const command = join(settings.binDir, "kube-controller-manager");
  return { name: "kube-controller-manager", command, args, cwd: settings.folder };
}

export function scheduler(settings: ControlPlaneSettings): ProgramStart {
  const args = [
    `--kubeconfig=${join(settings.folder, "kubeconfig")}`,
    "--leader-elect=false",
    "--secure-port=0",
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
    ...settings.schedulerFlags,
  ];
  return { name: "kube-scheduler", command: join(settings.binDir, "kube-scheduler"), args, cwd: settings.folder };
}

function auditFlags(settings: ControlPlaneSettings): string[] {
  if (!settings.auditPolicy) return [];
  const policy = join(settings.folder, "audit-policy.json");
  writeFileSync(policy, JSON.stringify(settings.auditPolicy));
  const log = join(settings.folder, "audit.log");
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, "--audit-log-mode=blocking"];
}

/**
 * Without the right to make a network, simulated pods have addresses that lead nowhere. The API server's proxy reaches
 * them all the same, because it sends whatever goes into the cluster through an HTTP proxy: the simulated Ray process.
 */
function egressFlags(settings: ControlPlaneSettings): string[] {
  if (!settings.podSocket) return [];
  const file = join(settings.folder, "egress.json");
  const connection = { proxyProtocol: "HTTPConnect", transport: { uds: { udsName: join("..", settings.podSocket) } } };
  const content = {
    apiVersion: "apiserver.k8s.io/v1beta1",
    kind: "EgressSelectorConfiguration",
    egressSelections: [{ name: "cluster", connection }],
  };
  writeFileSync(file, JSON.stringify(content));
  return [`--egress-selector-config-file=${file}`];
}

function callEtcd(settings: ControlPlaneSettings, method: string, path: string, body?: object): Promise<string> {
  // Linux allows 107 bytes for the path of a socket; by the descriptor of its folder a long name does not matter.
  const folder = openSync(etcdFolder(settings), "r");
  const socketPath = `/proc/self/fd/${folder}/${ETCD_SOCKET}`;
  const answered = new Promise<string>((resolve, reject) => {
    const call = request({ socketPath, method, path, timeout: 5_000 }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    });
    call.on("error", reject);
    call.end(body && JSON.stringify(body));
  });
  return answered.finally(() => closeSync(folder));
}
