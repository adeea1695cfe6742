// The CustomResourceDefinitions at run time, for `ray-operator crds` and whoever installs them. They are unpacked when
// asked for, so that they cost the running operator a few kilobytes.
import { brotliDecompressSync } from "node:zlib";
import { packedCrds } from "./generated/crds.ts";

/** A CustomResourceDefinition as read from the generated data. */
export interface CrdManifest {
  apiVersion: "apiextensions.k8s.io/v1";
  kind: "CustomResourceDefinition";
  metadata: { name: string };
  spec: object;
}

/** All CRDs of the API, as in `config/crd/bases`. */
export function readCrds(): CrdManifest[] {
  return JSON.parse(brotliDecompressSync(Buffer.from(packedCrds, "base64")).toString()) as CrdManifest[];
}

/** The same as compact JSON texts, which `kubectl apply -f -` takes as they are YAML too. */
export function crdManifests(): string[] {
  return readCrds().map((crd) => JSON.stringify(crd));
}
