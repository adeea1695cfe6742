// The sample manifests beside this repository, where they are: ../shared/conformance.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { RayCluster } from "../../../api/v1/raycluster.ts";

const folder = new URL("../../../../shared/conformance", import.meta.url).pathname;

export interface Sample {
  /** Folder and file, and the number of the document where a file has several. */
  readonly title: string;
  readonly cluster: RayCluster;
}

/** Every RayCluster among the samples and cases; undefined, after one line, where the folder is missing. */
export function readSamples(): Sample[] | undefined {
  if (!existsSync(folder)) {
    console.log(`skipped: ${folder} is not there`);
    return undefined;
  }
  return ["samples", "cases"].flatMap((kind) =>
    readdirSync(join(folder, kind)).flatMap((file) => {
      const documents = parseAllDocuments(readFileSync(join(folder, kind, file), "utf8"));
      return documents
        .map((document, index) => ({ title: `${kind}/${file}#${index}`, cluster: document.toJS() as RayCluster }))
        .filter(({ cluster }) => cluster?.kind === "RayCluster");
    }),
  );
}

/** Samples that the reference's API server refuses, too. */
export const refusedSamples: Readonly<Record<string, string>> = {
  "cases/cluster-managed-by-bad.yaml#0": "spec.managedBy",
};
