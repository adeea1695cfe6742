// The worked examples of the specification (objects.md section 29): a RayCluster and all that is made from it.

import { readFileSync } from "node:fs";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import {
  buildAutoscalerRole,
  buildAutoscalerRoleBinding,
  buildAutoscalerServiceAccount,
} from "../../../controllers/raycluster/objects/autoscaler-rbac.ts";
import { buildHeadPod } from "../../../controllers/raycluster/objects/head-pod.ts";
import { buildHeadService } from "../../../controllers/raycluster/objects/head-service.ts";
import { buildHeadlessService } from "../../../controllers/raycluster/objects/headless-service.ts";
import { buildRedisCleanupJob } from "../../../controllers/raycluster/objects/redis-cleanup-job.ts";
import { buildWorkerPod } from "../../../controllers/raycluster/objects/worker-pod.ts";
import type { WorkerIndex } from "../../../controllers/shared/labels.ts";
import { defaultSettings } from "../../../controllers/shared/settings.ts";
import type { Json } from "./api-server-defaults.ts";

const settings = defaultSettings({ operatorVersion: "nightly" });
const drawn = "drawn-name";

const examples: [file: string, built: (cluster: RayCluster) => object[]][] = [
  ["minimal", (cluster) => [buildHeadService(cluster, settings), head(cluster), worker(cluster)]],
  [
    "autoscaler",
    (cluster) => [
      buildAutoscalerServiceAccount(cluster),
      buildAutoscalerRole(cluster),
      buildAutoscalerRoleBinding(cluster),
      buildHeadService(cluster, settings),
      head(cluster),
      worker(cluster),
    ],
  ],
  ["redis", (cluster) => [head(cluster), worker(cluster), buildRedisCleanupJob(cluster, settings)]],
  [
    "multi-host",
    (cluster) => [
      buildHeadlessService(cluster),
      head(cluster),
      worker(cluster, { replicaIndex: 1, hostIndex: 2, replicaName: "v6e-16-7kq2x" }),
    ],
  ],
];

describe("The specification's worked example", () => {
  for (const [file, built] of examples) {
    it(`"${file}" gives these objects, and leaves the RayCluster alone`, () => {
      const [cluster] = documents(`${file}.yaml`) as RayCluster[];
      const before = structuredClone(cluster);
      const objects = built(deepFreeze(cluster!)).map((object) => withoutScripts(object as Json));
      expect(cluster).to.deep.equal(before);
      const expected = documents(`${file}.objects.yaml`).map(withoutScripts);
      expect(objects.map(({ kind }) => kind)).to.deep.equal(expected.map(({ kind }) => kind));
      for (const [index, object] of objects.entries()) expect(object).to.deep.equal(expected[index]);
    });
  }
});

function head(cluster: RayCluster): object {
  return buildHeadPod(cluster, settings, { name: drawn });
}

function worker(cluster: RayCluster, place: WorkerIndex = { replicaIndex: 0, hostIndex: 0 }): object {
  return buildWorkerPod(cluster, cluster.spec.workerGroupSpecs![0]!, settings, { name: drawn, ...place });
}

function documents(file: string): Json[] {
  const text = readFileSync(new URL(`examples/${file}`, import.meta.url), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS());
}

/** The specification names the scripts, the drawn name and one of the hashes by what they are. */
function withoutScripts(object: Json): Json {
  const copy: Json = structuredClone(object);
  if (copy.metadata.name === drawn) delete copy.metadata.name;
  const annotations = copy.metadata.annotations;
  const hash = "ray.io/upgrade-strategy-recreate-hash";
  if (annotations?.[hash] && copy.metadata.generateName !== "demo-head-") annotations[hash] = "some hash";
  for (const container of copy.spec?.initContainers ?? []) {
    container.args = [/[\w.-]+:6379/.exec(container.args[0])?.[0]];
  }
  if (copy.kind === "Job") copy.spec.template.spec.containers[0].args = ["the script"];
  return copy;
}

function deepFreeze<T extends object>(value: T): T {
  for (const item of Object.values(value)) if (typeof item === "object" && item !== null) deepFreeze(item);
  return Object.freeze(value);
}
