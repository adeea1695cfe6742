// Kubeconfig files with everything in them, so that they can be copied anywhere.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { ApiAccess } from "./api.ts";

/** Who the file makes its reader: by certificate, or by token. */
export type Identity = { readonly certificate: string; readonly key: string } | { readonly token: string };

/** A kubeconfig as an object; `caFile`, `certificate` and `key` are paths of PEM files. JSON is valid YAML. */
export function kubeconfig(name: string, url: string, caFile: string, identity: Identity): object {
  const user =
    "token" in identity
      ? { token: identity.token }
      : { "client-certificate-data": base64(identity.certificate), "client-key-data": base64(identity.key) };
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: url, "certificate-authority-data": base64(caFile) } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  };
}

/** How to reach the API server by a kubeconfig that {@link writeKubeconfig} wrote with a certificate. */
export function readKubeconfig(path: string): ApiAccess {
  const { clusters, users } = JSON.parse(readFileSync(path, "utf8")) as Kubeconfig;
  const cluster = clusters[0]?.cluster;
  const user = users[0]?.user;
  const decode = (text: string | undefined) => Buffer.from(text ?? "", "base64").toString("utf8");
  return {
    url: cluster?.server ?? "",
    ca: decode(cluster?.["certificate-authority-data"]),
    cert: decode(user?.["client-certificate-data"]),
    key: decode(user?.["client-key-data"]),
  };
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
}

/** Writes the file in one step, readable by its owner only. */
export function writeKubeconfig(path: string, content: object): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function base64(path: string): string {
  return readFileSync(path).toString("base64");
}
