// Kubeconfig files with everything in them, so that they can be copied anywhere.

import { readFileSync, renameSync, writeFileSync } from "node:fs";

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

/** Writes the file in one step, readable by its owner only. */
export function writeKubeconfig(path: string, content: object): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function base64(path: string): string {
  return readFileSync(path).toString("base64");
}
