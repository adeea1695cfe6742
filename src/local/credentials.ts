// Who may call an instance's API server: its certificates, and kubeconfigs for users and service accounts.

import { join } from "node:path";
import { LocalApi } from "./api.ts";
import { kubeconfig, readKubeconfig, writeKubeconfig } from "./kubeconfig.ts";
import type { Pki } from "./pki.ts";

/** A user of the API server, as a certificate names one. */
export interface User {
  readonly name: string;
  readonly groups?: readonly string[];
}

/** What the certificates and kubeconfigs of an instance have in common. */
export interface CredentialHome {
  /** The name of the instance, which contexts get. */
  readonly name: string;
  readonly folder: string;
  readonly url: string;
  readonly pki: Pki;
}

/** The usual names of the API server inside a cluster. */
const serverNames = ["", ".default", ".default.svc", ".default.svc.cluster.local"].map((end) => `kubernetes${end}`);

/** Makes the control plane's certificates; `addresses` are those under which the API server is called. */
export function issueControlPlaneCertificates(pki: Pki, addresses: readonly string[]): void {
  pki.issue([
    { name: "apiserver", commonName: "kube-apiserver", hosts: ["localhost", ...serverNames, ...addresses] },
    { name: "admin", commonName: "admin", organizations: ["system:masters"] },
    { name: "front-proxy", commonName: "front-proxy" },
  ]);
}

/** Writes the kubeconfig of the instance's administrator, and returns a client of the same rights. */
export function openAsAdmin(home: CredentialHome, path: string): LocalApi {
  writeFor(home, "admin", path);
  return new LocalApi(readKubeconfig(path));
}

/** Writes a kubeconfig for any user and groups, by certificate, and returns its path. */
export function kubeconfigFor(home: CredentialHome, user: User): string {
  const file = `user-${user.name.replaceAll(/[^\w.-]/g, "_")}`;
  home.pki.issue([{ name: file, commonName: user.name, organizations: user.groups ?? [] }]);
  const path = join(home.folder, `${file}.kubeconfig`);
  writeFor(home, file, path);
  return path;
}

/** Writes a kubeconfig for a service account, with a token that holds for a day, and returns its path. */
export async function kubeconfigForServiceAccount(
  home: CredentialHome,
  api: LocalApi,
  namespace: string,
  name: string,
): Promise<string> {
  const answer = await api.request<{ status: { token: string } }>(
    "POST",
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 86_400 } },
  );
  const path = join(home.folder, `serviceaccount-${namespace}-${name}.kubeconfig`);
  writeKubeconfig(path, kubeconfig(home.name, home.url, `${home.pki.ca}.crt`, { token: answer.status.token }));
  return path;
}

function writeFor({ name, url, pki }: CredentialHome, certificate: string, path: string): void {
  const identity = { certificate: pki.path(`${certificate}.crt`), key: pki.path(`${certificate}.key`) };
  writeKubeconfig(path, kubeconfig(name, url, `${pki.ca}.crt`, identity));
}
