// Records what this operator does with the reference's samples and cases on a real API server with simulated nodes, and
// compares it with what the reference operator did. CONFORMANCE_SHARE=0.25 takes every fourth; CONFORMANCE_ONLY=REGEX
// takes some by name; CONFORMANCE_OUT=DIR keeps the recordings.
import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { ensurePrograms } from "../../src/local/programs.ts";
import { silent } from "../../src/local/progress.ts";
import { type AllowEntry, eventDifferences, type Recording } from "./events.ts";
import { clusterManifests, conformanceDir, nameOf } from "./scope.ts";

const root = join(import.meta.dirname, "../..");
const operator = [
  `${process.execPath} ${join(root, "dist/ray-operator.mjs")} --use-kubernetes-proxy --enable-leader-election=false`,
  "--enable-metrics --metrics-addr=0 --health-probe-bind-address=0",
  "--feature-gates=RayCronJob=true,RayClusterNetworkPolicy=true,GCSFaultToleranceEmbeddedStorage=true,RayClusterHistoryServer=true",
].join(" ");

describe("conformance with the reference operator", function () {
  this.timeout(20 * 60_000);
  const only = new RegExp(process.env.CONFORMANCE_ONLY ?? ".");
  const manifests = clusterManifests(Number(process.env.CONFORMANCE_SHARE ?? 1)).filter((file) =>
    only.test(nameOf(file)),
  );
  const kept = process.env.CONFORMANCE_OUT;
  const out = kept ?? mkdtempSync(join(tmpdir(), "conformance-"));
  const allowFile = join(out, "..", `allow-${process.pid}.json`);
  let allowed: AllowEntry[] = [];

  before(async () => {
    if (manifests.length === 0) {
      console.log("      ../shared/conformance is not here: nothing to compare with");
      return;
    }
    const ours = JSON.parse(readFileSync(join(import.meta.dirname, "allow.json"), "utf8")) as AllowEntry[];
    const theirs = JSON.parse(readFileSync(join(conformanceDir, "allow.json"), "utf8")) as AllowEntry[];
    allowed = [...theirs, ...ours];
    writeFileSync(allowFile, JSON.stringify(allowed.filter((entry) => entry.section !== "events")));
    await record(
      await ensurePrograms(["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "kwok"], silent),
      manifests,
      out,
    );
  });

  after(() => {
    rmSync(allowFile, { force: true });
    if (!kept) rmSync(out, { recursive: true, force: true });
  });

  for (const manifest of manifests) {
    const name = nameOf(manifest);
    it(`does with ${name} what the reference does`, async () => {
      expect(existsSync(join(out, `${name}.json`)), "it was recorded").to.equal(true);
      expect(await compare(name, out, allowFile)).to.equal("");
      const entries = allowed.filter(
        (entry) => (entry.section ?? "events") === "events" && matches(name, entry.sample ?? "*"),
      );
      expect(eventDifferences(golden(name), read(join(out, `${name}.json`)), entries)).to.deep.equal([]);
    });
  }
});

/** Runs the recorder; it plays nodes and Ray in a network namespace of its own. */
async function record(programs: string, manifests: string[], out: string): Promise<void> {
  // The recorder wants all four kinds and Gateway API's; where we have a definition of our own it is ours.
  const crds = mkdtempSync(join(tmpdir(), "conformance-crds-"));
  cpSync(join(conformanceDir, "crds"), crds, { recursive: true });
  cpSync(join(root, "config/crd/bases"), crds, { recursive: true });
  const args = ["--bin", programs, "--crds", crds, "--samples", ...manifests, "--out", out, "--parallel", "8"];
  const child = spawn(
    "python3",
    [
      join(conformanceDir, "record.py"),
      ...args,
      "--operator",
      operator,
      "--env",
      "ENABLE_WEBHOOKS=false",
      "--log",
      join(out, "operator.log"),
    ],
    { stdio: ["ignore", process.env.CONFORMANCE_VERBOSE ? "inherit" : "ignore", "inherit"] },
  );
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  rmSync(crds, { recursive: true, force: true });
  expect(code, "record.py ended without problems").to.equal(0);
}

/** What the comparer prints of one sample beyond the sections that do not count; empty when equal. */
async function compare(name: string, out: string, allowFile: string): Promise<string> {
  const args = [
    join(conformanceDir, "compare.py"),
    join(conformanceDir, "golden"),
    out,
    "--allow",
    allowFile,
    "--only",
    name,
    "--quiet",
  ];
  try {
    await promisify(execFile)("python3", args, { maxBuffer: 64 << 20 });
    return "";
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? String(error);
  }
}

function golden(name: string): Recording {
  return read(join(conformanceDir, "golden", `${name}.json`));
}

function read(file: string): Recording {
  return JSON.parse(readFileSync(file, "utf8")) as Recording;
}

/** Shell-style matching of sample names, as in the comparer: only `*` is special. */
function matches(name: string, glob: string): boolean {
  return new RegExp(`^${glob.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(name);
}
