// Certificates of an instance, made by the program `ray-local` (Node cannot make X.509 certificates).

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** A certificate to issue: it becomes `NAME.crt` and `NAME.key`, valid as server and as client for ten years. */
export interface CertificateRequest {
  readonly name: string;
  /** For a client: the user. */
  readonly commonName: string;
  /** For a client: the groups. */
  readonly organizations?: readonly string[];
  /** For a server: DNS names and IP addresses. */
  readonly hosts?: readonly string[];
}

/** The certificate authority of an instance and the folder of what it issued. */
export interface Pki {
  readonly folder: string;
  /** The path of `ca.crt` and `ca.key` without the ending. */
  readonly ca: string;
  /** The path of a file in the folder. */
  path(file: string): string;
  /** Issues (or replaces) certificates. */
  issue(requests: readonly CertificateRequest[]): void;
}

/** Opens the folder, and makes the CA and the key pair `sa` (of service account tokens) where they are missing. */
export function openPki(launcher: string, folder: string): Pki {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ca = join(folder, "ca");
  const issue = (certificates: readonly CertificateRequest[]) => {
    const input = JSON.stringify({ ca, folder, certificates, keyPair: "sa" });
    const result = spawnSync(launcher, ["certificates"], { input, encoding: "utf8" });
    if (result.status !== 0) throw new Error(result.error?.message ?? result.stderr.trim());
  };
  return { folder, ca, path: (file) => join(folder, file), issue };
}
