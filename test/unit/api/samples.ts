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

/** What the reference said about the RayCluster of a sample in its event, without the object's name, by title. */
export function readRecordedComplaints(): Readonly<Record<string, string>> {
  const files = existsSync(join(folder, "golden")) ? readdirSync(join(folder, "golden")) : [];
  const complaints = files.flatMap((file) => {
    const golden = JSON.parse(readFileSync(join(folder, "golden", file), "utf8")) as Golden;
    const event = golden.events.find(({ reason }) => /^InvalidRayCluster(Spec|Metadata)$/.test(reason));
    const [, said] = /^The RayCluster \w+ is invalid \S+: (.*)$/s.exec(event?.message ?? "") ?? [];
    return said === undefined ? [] : [[golden.sample, said] as const];
  });
  return Object.fromEntries(complaints);
}

interface Golden {
  readonly sample: string;
  readonly events: readonly { readonly reason: string; readonly message: string }[];
}

/** Samples that the reference's API server refuses, too. */
export const refusedSamples: Readonly<Record<string, string>> = {
  "cases/cluster-managed-by-bad.yaml#0": "spec.managedBy",
};
