// A real etcd and kube-apiserver (and, where asked for, a controller manager) for one test file.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientOptions } from "../../../src/kube/client.ts";
import { type Connection, loadConnection } from "../../../src/kube/kubeconfig.ts";
import { ensurePrograms } from "../../../src/local/programs.ts";
import { silent } from "../../../src/local/progress.ts";

export interface ControlPlaneOptions {
  /** Also start kube-controller-manager (garbage collection, namespaces, quota). */
  readonly controllerManager?: boolean;
  /** More flags for kube-apiserver. */
  readonly apiServerFlags?: readonly string[];
  /** Static bearer tokens: token to user name; each user is a cluster administrator. */
  readonly tokens?: Readonly<Record<string, string>>;
}

const START_TIMEOUT_MS = 90_000;
const PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"] as const;

/** Starts a control plane on free ports with its own state folder; resolves when it is ready. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const programs = await ensurePrograms(PROGRAMS, silent);
  const controlPlane = new ControlPlane(options, programs, await freePort(), await freePort(), await freePort());
  try {
    await controlPlane.start();
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  return controlPlane;
}

export class ControlPlane {
  /** State folder: certificates, logs, etcd's data. Removed by `stop`. */
  readonly folder = mkdtempSync(join(tmpdir(), "control-plane-"));
  readonly server: string;
  readonly port: number;
  /** Administrator by client certificate. */
  readonly kubeconfig = join(this.folder, "admin.kubeconfig");
  readonly #options: ControlPlaneOptions;
  /** Folder with etcd and the others: `KUBEBUILDER_ASSETS`, or what was built from pinned modules. */
  readonly #programs: string;
  readonly #etcdPort: number;
  readonly #peerPort: number;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #clients: Client[] = [];

  constructor(options: ControlPlaneOptions, programs: string, port: number, etcdPort: number, peerPort: number) {
    this.#options = options;
    this.#programs = programs;
    this.port = port;
    this.#etcdPort = etcdPort;
    this.#peerPort = peerPort;
    this.server = `https://127.0.0.1:${port}`;
    writeFileSync(this.kubeconfig, this.kubeconfigFor(this.server));
  }

  async start(): Promise<void> {
    makePki(this.folder);
    this.#spawn("etcd", [
      `--data-dir=${this.folder}/etcd`,
      "--unsafe-no-fsync",
      "--log-level=error",
      `--listen-client-urls=${this.#etcdUrl}`,
      `--advertise-client-urls=${this.#etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${this.#peerPort}`,
      "--initial-cluster=default=http://localhost:2380",
      "--initial-advertise-peer-urls=http://localhost:2380",
    ]);
    await this.startApiServer();
    if (this.#options.controllerManager) this.#startControllerManager();
  }

  async startApiServer(): Promise<void> {
    const { apiServerFlags = [], tokens } = this.#options;
    if (tokens) {
      const lines = Object.entries(tokens).map(([token, user]) => `${token},${user},${user},system:masters`);
      writeFileSync(join(this.folder, "tokens.csv"), `${lines.join("\n")}\n`);
    }
    const pki = this.folder;
    this.#spawn("kube-apiserver", [
      `--etcd-servers=${this.#etcdUrl}`,
      `--secure-port=${this.port}`,
      "--bind-address=127.0.0.1",
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
      `--client-ca-file=${pki}/ca.crt`,
      `--service-account-key-file=${pki}/sa.pub`,
      `--service-account-signing-key-file=${pki}/sa.key`,
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=RBAC",
      "--allow-privileged=true",
      "--disable-admission-plugins=ServiceAccount",
      ...(tokens ? [`--token-auth-file=${pki}/tokens.csv`] : []),
      ...apiServerFlags,
    ]);
    await this.#ready();
  }

  /**
   * Ends the API server and waits for its end; `startApiServer` brings it back on the same port. With SIGTERM it waits
   * up to a minute for open watches.
   */
  stopApiServer(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    return this.#end("kube-apiserver", signal);
  }

  /** A client as administrator, closed with the control plane. */
  async client(options: ClientOptions = {}): Promise<Client> {
    const client = new Client(await this.connection(), options);
    this.#clients.push(client);
    return client;
  }

  connection(): Promise<Connection> {
    return loadConnection({ kubeconfig: this.kubeconfig });
  }

  /** A kubeconfig for the administrator that reaches the API server at another address (a proxy). */
  kubeconfigFor(server: string): string {
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server, "certificate-authority": join(this.folder, "ca.crt") } }],
      users: [
        {
          name: "admin",
          user: { "client-certificate": join(this.folder, "admin.crt"), "client-key": join(this.folder, "admin.key") },
        },
      ],
      contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
      "current-context": "test",
    });
  }

  /** Runs one of the programs (such as kubectl) as administrator and gives its output. */
  run(program: (typeof PROGRAMS)[number], args: readonly string[]): string {
    const env = { ...process.env, KUBECONFIG: this.kubeconfig };
    return execFileSync(join(this.#programs, program), [...args], { encoding: "utf8", env });
  }

  /** Compacts etcd up to its current revision: older resourceVersions answer 410 from then on. */
  async compactEtcd(): Promise<void> {
    const post = async (path: string, body: object) =>
      (await fetch(`${this.#etcdUrl}${path}`, { method: "POST", body: JSON.stringify(body) })).json() as Promise<{
        header: { revision: string };
      }>;
    const { header } = await post("/v3/kv/range", { key: "AA==", limit: 1 });
    await post("/v3/kv/compaction", { revision: header.revision, physical: true });
  }

  /** Ends all processes that it started and removes the state folder. */
  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    for (const name of ["kube-controller-manager", "kube-apiserver", "etcd"]) await this.#end(name, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #etcdUrl(): string {
    return `http://127.0.0.1:${this.#etcdPort}`;
  }

  #startControllerManager(): void {
    this.#spawn("kube-controller-manager", [
      `--kubeconfig=${this.kubeconfig}`,
      "--leader-elect=false",
      `--service-account-private-key-file=${this.folder}/sa.key`,
      `--root-ca-file=${this.folder}/ca.crt`,
      "--secure-port=0",
      "--kube-api-qps=500",
      "--kube-api-burst=1000",
    ]);
  }

  #spawn(name: string, args: string[]): void {
    const log = openSync(join(this.folder, `${name}.log`), "a");
    const child = spawn(join(this.#programs, name), args, { stdio: ["ignore", log, log], cwd: this.folder });
    // A test run that is broken off must not leave servers behind.
    const kill = () => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    this.#processes.set(name, child);
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#processes.get(name);
    this.#processes.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  async #ready(): Promise<void> {
    const client = new Client(await this.connection(), { attempts: 1 });
    const deadline = Date.now() + START_TIMEOUT_MS;
    try {
      for (;;) {
        const child = this.#processes.get("kube-apiserver");
        if (!child || child.exitCode !== null || Date.now() > deadline) throw new Error(this.#lastWords());
        try {
          await client.raw({ method: "GET", path: "/readyz", timeoutMs: 2_000 });
          await client.raw({ method: "GET", path: "/api/v1/namespaces/default", timeoutMs: 2_000 });
          return;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    } finally {
      await client.close();
    }
  }

  #lastWords(): string {
    const tail = (name: string) => {
      const file = join(this.folder, `${name}.log`);
      return existsSync(file) ? `${name}: ${readFileSync(file, "utf8").slice(-1500)}` : `${name}: no log`;
    };
    return `the control plane did not start\n${tail("etcd")}\n${tail("kube-apiserver")}`;
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

function makePki(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    ...["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", "/CN=test-ca"],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"],
  );
  openssl("genrsa", "-out", "sa.key", "2048");
  openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub");
  issueCertificate(
    folder,
    "apiserver",
    "/CN=apiserver",
    "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1",
  );
  issueCertificate(folder, "admin", "/O=system:masters/CN=admin", "DNS:admin");
}

/** Issues `<name>.crt` and `<name>.key` in `folder`, signed by the CA there. */
export function issueCertificate(folder: string, name: string, subject: string, alternativeNames: string): void {
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  writeFileSync(
    join(folder, `${name}.ext`),
    `subjectAltName=${alternativeNames}\nextendedKeyUsage=serverAuth,clientAuth\n`,
  );
  openssl(
    ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject],
    ...["-keyout", `${name}.key`, "-out", `${name}.csr`],
  );
  openssl(
    ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", "3650", "-out", `${name}.crt`, "-extfile", `${name}.ext`],
  );
}
