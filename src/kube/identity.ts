// Who this process is to the API server: certificates and a token, re-read while the process runs, because service
// account tokens and client certificates are short-lived.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Clock } from "./time.ts";
import { systemClock } from "./time.ts";

/** What a TLS connection needs, as PEM text. A changed identity is a new object: connections are made anew then. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Identity {
  /** Value of the `Authorization` header. */
  readonly authorization: string | undefined;
  readonly tls: TlsMaterial;
}

/** Gives the identity for the next request. */
export interface IdentitySource {
  current(): Identity | Promise<Identity>;
  /** The server answered 401: what is remembered is worth nothing. */
  invalidate(): void;
}

/** Text that stands in the configuration, or in a file that may change. */
export type TextSource = { readonly text: string } | { readonly file: string };

/** The exec plug-in of a kubeconfig user (client.authentication.k8s.io). */
export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly provideClusterInfo?: boolean;
  readonly installHint?: string;
}

export interface IdentitySettings {
  readonly ca?: TextSource | undefined;
  readonly cert?: TextSource | undefined;
  readonly key?: TextSource | undefined;
  readonly token?: TextSource | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly exec?: ExecPlugin | undefined;
  readonly servername?: string | undefined;
  readonly insecure?: boolean | undefined;
  /** Passed to an exec plug-in that asks for it. */
  readonly server: string;
}

/** How old what was read from a file may be; the kubelet renews tokens long before they expire. */
const REREAD_AFTER_MS = 10_000;
/** A plug-in's credential is renewed this long before it expires. */
const EXPIRY_MARGIN_MS = 30_000;
const EXEC_TIMEOUT_MS = 60_000;

/** An identity from texts, files and exec plug-ins. Files are read again when they were read 10 s ago. */
export class ReloadingIdentity implements IdentitySource {
  readonly #settings: IdentitySettings;
  readonly #clock: Clock;
  readonly #rereads: boolean;
  #identity: Identity | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #credential: ExecCredential | undefined;
  #running: Promise<Identity> | undefined;

  constructor(settings: IdentitySettings, clock: Clock = systemClock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#rereads = [settings.ca, settings.cert, settings.key, settings.token].some(
      (source) => source && "file" in source,
    );
  }

  current(): Identity | Promise<Identity> {
    if (this.#settings.exec && this.#credentialExpired()) return this.#renew(this.#settings.exec);
    if (!this.#identity) return this.#assemble();
    const fresh = !this.#rereads || this.#clock.monotonic() - this.#readAt < REREAD_AFTER_MS;
    return fresh ? this.#identity : this.#reassemble(this.#identity);
  }

  invalidate(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#credential = undefined;
  }

  #credentialExpired(): boolean {
    const expires = this.#credential?.expiresAt;
    return !this.#credential || (expires !== undefined && this.#clock.now() >= expires - EXPIRY_MARGIN_MS);
  }

  /** Runs the plug-in once, however many requests wait for it. */
  #renew(plugin: ExecPlugin): Promise<Identity> {
    this.#running ??= runExecPlugin(plugin, this.#settings)
      .then((credential) => {
        this.#credential = credential;
        return this.#assemble();
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** Files that cannot be read at this moment (they are being replaced) leave the identity as it is. */
  #reassemble(previous: Identity): Identity {
    try {
      return this.#assemble();
    } catch {
      this.#readAt = this.#clock.monotonic();
      return previous;
    }
  }

  #assemble(): Identity {
    const { ca, cert, key, token, basic, servername, insecure } = this.#settings;
    const tls: TlsMaterial = {
      ...(ca && { ca: read(ca) }),
      ...(cert && { cert: read(cert) }),
      ...(key && { key: read(key) }),
      ...(this.#credential?.cert && { cert: this.#credential.cert, key: this.#credential.key ?? "" }),
      ...(servername && { servername }),
      ...(insecure && { rejectUnauthorized: false }),
    };
    const previous = this.#identity;
    this.#identity = {
      authorization: authorization(this.#credential?.token ?? (token && read(token).trim()), basic),
      tls: previous && sameTls(previous.tls, tls) ? previous.tls : tls,
    };
    this.#readAt = this.#clock.monotonic();
    return this.#identity;
  }
}

function authorization(token: string | undefined, basic: IdentitySettings["basic"]): string | undefined {
  if (token) return `Bearer ${token}`;
  if (basic) return `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString("base64")}`;
  return undefined;
}

function read(source: TextSource): string {
  return "file" in source ? readFileSync(source.file, "utf8") : source.text;
}

function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key && a.servername === b.servername;
}

interface ExecCredential {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

// Source: Kubernetes documentation, "client-go credential plugins".
async function runExecPlugin(plugin: ExecPlugin, settings: IdentitySettings): Promise<ExecCredential> {
  const info = {
    kind: "ExecCredential",
    apiVersion: plugin.apiVersion,
    spec: {
      interactive: false,
      ...(plugin.provideClusterInfo && { cluster: clusterInfo(settings) }),
    },
  };
  const added = Object.fromEntries((plugin.env ?? []).map(({ name, value }) => [name, value]));
  const env = { ...process.env, ...added, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  const output = await execute(plugin, env);
  const status = (JSON.parse(output) as { status?: Record<string, string> }).status ?? {};
  if (!status.token && !status.clientCertificateData) {
    throw new Error(`the credential plug-in ${plugin.command} gave neither a token nor a certificate`);
  }
  return {
    token: status.token,
    cert: status.clientCertificateData,
    key: status.clientKeyData,
    expiresAt: status.expirationTimestamp ? Date.parse(status.expirationTimestamp) : undefined,
  };
}

function clusterInfo(settings: IdentitySettings): Record<string, unknown> {
  return {
    server: settings.server,
    ...(settings.ca && { "certificate-authority-data": Buffer.from(read(settings.ca)).toString("base64") }),
    ...(settings.servername && { "tls-server-name": settings.servername }),
    ...(settings.insecure && { "insecure-skip-tls-verify": true }),
  };
}

function execute(plugin: ExecPlugin, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env, timeout: EXEC_TIMEOUT_MS, maxBuffer: 1 << 20 };
    execFile(plugin.command, [...(plugin.args ?? [])], options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const hint = error.code === "ENOENT" && plugin.installHint ? `\n${plugin.installHint}` : "";
      reject(new Error(`the credential plug-in ${plugin.command} failed: ${stderr.trim() || error.message}${hint}`));
    });
  });
}
