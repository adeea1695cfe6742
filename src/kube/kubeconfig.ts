// Where the API server is and who we are to it: a kubeconfig, or the service account of the pod we run in. Our own
// reader instead of client-node's, for memory (ADR 1).
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, resolve } from "node:path";
import type { ExecPlugin, IdentitySettings, IdentitySource, TextSource } from "./identity.ts";
import { ReloadingIdentity } from "./identity.ts";
import { proxyFromEnvironment } from "./proxy-tunnel.ts";

/** What a client needs to reach one API server. */
export interface Connection {
  /** `https://host:port`, and a path where the server sits behind one; without a final slash. */
  readonly server: string;
  readonly identity: IdentitySource;
  /** The namespace of the context, or of the pod we run in. */
  readonly namespace: string;
  /** Where this was read from, for messages. */
  readonly source: string;
  /** Headers of every request: impersonation. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** An HTTP proxy in front of the server. */
  readonly proxyUrl: string | undefined;
}

export interface KubeconfigOptions {
  /** `--kubeconfig`: only this file counts. */
  readonly kubeconfig?: string | undefined;
  /** Instead of the file's current context. */
  readonly context?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** Folder of the mounted service account. */
  readonly serviceAccountPath?: string;
}

/** A kubeconfig that is missing, unreadable or incomplete; the message is one line for the user. */
export class KubeconfigError extends Error {
  override readonly name = "KubeconfigError";
}

const SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds the cluster in the order that controllers use: the given file, `KUBECONFIG` (several files are merged, the
 * first that names something wins), the pod's service account, `~/.kube/config`.
 */
export async function loadConnection(options: KubeconfigOptions = {}): Promise<Connection> {
  const env = options.env ?? process.env;
  if (options.kubeconfig) return fromFiles([options.kubeconfig], options.context, env);
  const named = (env.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  if (named.length > 0) {
    const present = named.filter((path) => existsSync(path));
    if (present.length === 0) throw new KubeconfigError(`KUBECONFIG names no existing file: ${named.join(delimiter)}`);
    return fromFiles(present, options.context, env);
  }
  const folder = options.serviceAccountPath ?? SERVICE_ACCOUNT_PATH;
  if (env.KUBERNETES_SERVICE_HOST && existsSync(`${folder}/token`)) return fromServiceAccount(folder, env);
  const own = resolve(env.HOME ?? homedir(), ".kube/config");
  if (existsSync(own)) return fromFiles([own], options.context, env);
  throw new KubeconfigError(
    "no cluster: give --kubeconfig, set KUBECONFIG, or run inside a pod with a service account",
  );
}

function fromServiceAccount(folder: string, env: NodeJS.ProcessEnv): Connection {
  const host = env.KUBERNETES_SERVICE_HOST ?? "";
  const port = env.KUBERNETES_SERVICE_PORT ?? "443";
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const namespaceFile = `${folder}/namespace`;
  return {
    server,
    identity: new ReloadingIdentity({
      server,
      ca: { file: `${folder}/ca.crt` },
      token: { file: `${folder}/token` },
    }),
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, "utf8").trim() : "default",
    source: folder,
    headers: {},
    proxyUrl: proxyFromEnvironment(server, env),
  };
}

interface ClusterEntry {
  server?: string;
  "certificate-authority"?: string;
  "certificate-authority-data"?: string;
  "insecure-skip-tls-verify"?: boolean;
  "tls-server-name"?: string;
  "proxy-url"?: string;
}

interface UserEntry {
  "client-certificate"?: string;
  "client-certificate-data"?: string;
  "client-key"?: string;
  "client-key-data"?: string;
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  exec?: ExecPlugin;
  "auth-provider"?: { name: string };
  as?: string;
  "as-uid"?: string;
  "as-groups"?: string[];
}

interface ContextEntry {
  cluster: string;
  user: string;
  namespace?: string;
}

interface KubeconfigFile {
  "current-context"?: string;
  clusters?: { name: string; cluster: ClusterEntry }[] | null;
  users?: { name: string; user: UserEntry }[] | null;
  contexts?: { name: string; context: ContextEntry }[] | null;
}

/** A part of a kubeconfig and the folder that its relative paths start from. */
interface Located<T> {
  readonly value: T;
  readonly folder: string;
}

async function fromFiles(
  paths: readonly string[],
  contextName: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Connection> {
  const files: Located<KubeconfigFile>[] = [];
  for (const path of paths) files.push({ value: await parse(path), folder: dirname(resolve(path)) });
  const source = paths.join(delimiter);

  const current = contextName ?? files.map((file) => file.value["current-context"]).find(Boolean);
  if (!current) throw new KubeconfigError(`${source}: no current context is set`);
  const context = first(files, (file) => file.contexts?.find((entry) => entry.name === current)?.context);
  if (!context) throw new KubeconfigError(`${source}: there is no context "${current}"`);
  const cluster = first(files, (file) => file.clusters?.find((entry) => entry.name === context.value.cluster)?.cluster);
  if (!cluster?.value.server) {
    throw new KubeconfigError(
      `${source}: context "${current}" names cluster "${context.value.cluster}", which has no server`,
    );
  }
  const user = first(files, (file) => file.users?.find((entry) => entry.name === context.value.user)?.user) ?? {
    value: {},
    folder: "",
  };
  const server = cluster.value.server.replace(/\/+$/, "");
  if (!URL.canParse(server)) throw new KubeconfigError(`${source}: the server "${server}" is not a URL`);
  const settings = identitySettings(server, cluster, user, source);
  for (const file of [settings.ca, settings.cert, settings.key, settings.token]) checkReadable(file, source);
  return {
    server,
    identity: new ReloadingIdentity(settings),
    namespace: context.value.namespace || "default",
    source,
    headers: impersonation(user.value),
    proxyUrl: cluster.value["proxy-url"] || proxyFromEnvironment(server, env),
  };
}

async function parse(path: string): Promise<KubeconfigFile> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new KubeconfigError(`cannot read kubeconfig ${path}: ${(error as Error).message}`);
  }
  try {
    if (text.trimStart().startsWith("{")) return JSON.parse(text) as KubeconfigFile;
    // Loaded only here: in a pod no YAML is read.
    const { parse: parseYaml } = await import("yaml");
    return (parseYaml(text) ?? {}) as KubeconfigFile;
  } catch (error) {
    throw new KubeconfigError(`${path} is not a kubeconfig: ${(error as Error).message.split("\n")[0]}`);
  }
}

function first<T>(
  files: readonly Located<KubeconfigFile>[],
  pick: (file: KubeconfigFile) => T | undefined,
): Located<T> | undefined {
  for (const { value: file, folder } of files) {
    const value = pick(file);
    if (value !== undefined) return { value, folder };
  }
  return undefined;
}

function identitySettings(
  server: string,
  { value: cluster, folder: clusterFolder }: Located<ClusterEntry>,
  { value: user, folder }: Located<UserEntry>,
  source: string,
): IdentitySettings {
  if (user["auth-provider"]) {
    throw new KubeconfigError(
      `${source}: the auth provider "${user["auth-provider"].name}" was removed from Kubernetes; use an exec plug-in`,
    );
  }
  const exec = user.exec && {
    ...user.exec,
    // Like kubectl: a command with a slash is relative to the kubeconfig, a bare one is searched in PATH.
    command: user.exec.command.includes("/") ? resolve(folder, user.exec.command) : user.exec.command,
  };
  return {
    server,
    ca: dataOrFile(cluster["certificate-authority-data"], cluster["certificate-authority"], clusterFolder),
    cert: dataOrFile(user["client-certificate-data"], user["client-certificate"], folder),
    key: dataOrFile(user["client-key-data"], user["client-key"], folder),
    token: user.tokenFile ? { file: resolve(folder, user.tokenFile) } : user.token ? { text: user.token } : undefined,
    basic: user.username ? { username: user.username, password: user.password ?? "" } : undefined,
    exec,
    servername: cluster["tls-server-name"],
    insecure: cluster["insecure-skip-tls-verify"],
  };
}

// Said at the start instead of with the first request.
function checkReadable(text: TextSource | undefined, source: string): void {
  if (!text || !("file" in text)) return;
  try {
    readFileSync(text.file);
  } catch (error) {
    throw new KubeconfigError(`${source} names a file that cannot be read: ${(error as Error).message}`);
  }
}

function dataOrFile(data: string | undefined, file: string | undefined, folder: string): TextSource | undefined {
  if (data) return { text: Buffer.from(data, "base64").toString("utf8") };
  return file ? { file: resolve(folder, file) } : undefined;
}

function impersonation(user: UserEntry): Record<string, string | string[]> {
  if (!user.as) return {};
  return {
    "impersonate-user": user.as,
    ...(user["as-uid"] && { "impersonate-uid": user["as-uid"] }),
    ...(user["as-groups"]?.length && { "impersonate-group": user["as-groups"] }),
  };
}
