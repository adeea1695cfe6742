// Which recordings of the reference operator this operator is held against, and where they are.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** The folder with samples, cases, golden recordings, recorder and comparer; it may be missing. */
export const conformanceDir = join(import.meta.dirname, "../../../shared/conformance");

/** Manifests whose behaviour is not built yet, by what they need. Shrinks with every feature; empty at the end. */
const later: Record<string, RegExp> = {
  "GCS fault tolerance": /gcs-ft|example-gcs-ft|external-redis|external-storage|persistent-redis/,
  "network policy controller": /network-policy/,
  ingress: /ingress/,
  "upgrade strategy": /upgrade-recreate/,
};

/** RayCluster manifests in scope, sorted by name. `share` of 1 takes all, 0.25 an evenly spread quarter. */
export function clusterManifests(share = 1): string[] {
  if (!existsSync(conformanceDir)) return [];
  const files = ["samples", "cases"].flatMap((folder) =>
    readdirSync(join(conformanceDir, folder)).map((file) => join(conformanceDir, folder, file)),
  );
  const inScope = files
    .filter((file) => /^(ray-cluster|cluster-).*\.ya?ml$/.test(basename(file)))
    .filter((file) => /^kind: RayCluster$/m.test(readFileSync(file, "utf8")))
    .filter((file) => !Object.values(later).some((pattern) => pattern.test(basename(file))))
    .filter((file) => existsSync(join(conformanceDir, "golden", `${nameOf(file)}.json`)))
    .sort((a, b) => basename(a).localeCompare(basename(b)));
  return inScope.filter((_file, index) => Math.floor((index + 1) * share) > Math.floor(index * share));
}

/** The name of a recording: the manifest's file name without its ending. */
export function nameOf(manifest: string): string {
  return basename(manifest).replace(/\.ya?ml$/, "");
}
