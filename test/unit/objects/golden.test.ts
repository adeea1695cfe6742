// Compares our objects with those that the reference operator made from the same manifests: recordings in
// ../shared/conformance/golden, if they are there.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { defaultFeatureGates } from "../../../api/v1/feature-gates.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { buildAuthSecret } from "../../../controllers/raycluster/objects/auth-secret.ts";
import {
  buildAutoscalerRole,
  buildAutoscalerRoleBinding,
  buildAutoscalerServiceAccount,
} from "../../../controllers/raycluster/objects/autoscaler-rbac.ts";
import { buildGcsClaim } from "../../../controllers/raycluster/objects/gcs-claim.ts";
import { buildHeadPod } from "../../../controllers/raycluster/objects/head-pod.ts";
import { buildHeadService } from "../../../controllers/raycluster/objects/head-service.ts";
import { buildHeadlessService } from "../../../controllers/raycluster/objects/headless-service.ts";
import { buildIngress } from "../../../controllers/raycluster/objects/ingress.ts";
import { buildNetworkPolicies } from "../../../controllers/raycluster/objects/network-policies.ts";
import { buildRedisCleanupJob } from "../../../controllers/raycluster/objects/redis-cleanup-job.ts";
import { buildServeService } from "../../../controllers/raycluster/objects/serve-service.ts";
import { buildWorkerPod } from "../../../controllers/raycluster/objects/worker-pod.ts";
import { defaultSettings } from "../../../controllers/shared/settings.ts";
import { asRecorded, type Json } from "./api-server-defaults.ts";

const conformance = new URL("../../../../shared/conformance/", import.meta.url);
const settings = defaultSettings({
  featureGates: {
    ...defaultFeatureGates,
    RayCronJob: true,
    RayClusterNetworkPolicy: true,
    GCSFaultToleranceEmbeddedStorage: true,
    RayClusterHistoryServer: true,
  },
});

describe("Objects of RayClusters are those of the reference operator's recordings", () => {
  if (!existsSync(conformance)) {
    it("is skipped: ../shared/conformance is not here");
    return;
  }
  let compared = 0;
  for (const file of readdirSync(new URL("golden", conformance)).sort()) {
    const golden: Json = JSON.parse(withRealLengths(readFileSync(new URL(`golden/${file}`, conformance), "utf8")));
    const clusters = rayClusters(golden);
    const late = golden.after_delete.made_late.map((item: Json) => item.object);
    const expected = [...golden.objects, ...late].filter((object: Json) =>
      clusters.some((cluster) => isOwnedBy(object, cluster)),
    );
    if (expected.length === 0) continue;
    it(`in ${file}`, () => {
      for (const object of expected) {
        compared++;
        compare(
          object,
          clusters.filter((cluster) => isOwnedBy(object, cluster)),
        );
      }
    });
  }
  after(() => {
    console.log(`        ${compared} recorded objects compared`);
  });
});

/** The recorder hides the five random characters of a name, and what is left of them where the name was cut at 50. */
function withRealLengths(text: string): string {
  const suffix = (number: string) => `x${number}xxxx`.slice(0, 5);
  return text
    .replace(/([a-z0-9-]+)<cluster(\d+) cut>/g, (_, head, number) => head + suffix(number).slice(0, 50 - head.length))
    .replace(/<cluster(\d+)>/g, (_, number) => suffix(number));
}

/** Every form of every RayCluster that the recorder saw: as written, as changed later, and those made by other kinds. */
function rayClusters(golden: Json): RayCluster[] {
  const written = manifests(golden.sample).filter((object) => object.kind === "RayCluster");
  const made = golden.objects.filter((object: Json) => object.kind === "RayCluster");
  const changed = golden.inputs.flatMap((input: Json) => {
    const original = written.find((object) => object.metadata.name === input.name);
    return input.spec && original ? [{ ...original, spec: input.spec }] : [];
  });
  return [...written, ...changed, ...made].map(asStored);
}

function manifests(sample: string): Json[] {
  const folder = ["samples", "cases"].find((name) => existsSync(new URL(`${name}/${sample}`, conformance)));
  const text = readFileSync(new URL(`${folder}/${sample}`, conformance), "utf8");
  return parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS());
}

/** What the API server adds: place, identity, and the defaults of the CRD. */
function asStored(cluster: Json): RayCluster {
  const tcp = (template: Json) =>
    template.spec?.containers?.forEach((container: Json) => {
      container.ports?.forEach((port: Json) => {
        port.protocol ??= "TCP";
      });
    });
  const stored = structuredClone(cluster);
  Object.assign(stored, { apiVersion: "ray.io/v1", metadata: { ...stored.metadata, namespace: "<ns>", uid: "<uid>" } });
  tcp(stored.spec?.headGroupSpec?.template ?? {});
  for (const group of stored.spec?.workerGroupSpecs ?? []) {
    Object.assign(group, {
      replicas: 0,
      minReplicas: 0,
      maxReplicas: 2147483647,
      numOfHosts: 1,
      priority: 0,
      ...group,
    });
    tcp(group.template ?? {});
  }
  return stored as RayCluster;
}

function isOwnedBy(object: Json, cluster: RayCluster): boolean {
  const owner = object.metadata.ownerReferences?.[0];
  return owner?.kind === "RayCluster" && owner.name === cluster.metadata.name;
}

/** One of the cluster's forms must give the recorded object. */
function compare(recorded: Json, clusters: RayCluster[]): void {
  const { gone: _, ...object } = recorded;
  const candidates = clusters.flatMap((cluster) => {
    const built = build(object, cluster);
    return built ? [alike(asRecorded(built))] : [];
  });
  expect(candidates, `${object.kind} ${object.metadata.name} is not built at all`).not.to.be.empty;
  const wanted = alike(object);
  const same = candidates.find((candidate) => JSON.stringify(sorted(candidate)) === JSON.stringify(sorted(wanted)));
  if (!same) expect(sorted(candidates[0])).to.deep.equal(sorted(wanted));
}

function build(object: Json, cluster: RayCluster): Json | undefined {
  const labels = object.metadata.labels ?? {};
  switch (object.kind) {
    case "Pod":
      return labels["ray.io/node-type"] === "head"
        ? buildHeadPod(cluster, settings, { name: object.metadata.name })
        : buildWorker(object, cluster);
    case "Service":
      if (labels["ray.io/headless-worker-svc"]) return buildHeadlessService(cluster);
      if (!labels["ray.io/serve"]) return buildHeadService(cluster, settings);
      return buildServeService(cluster, labels["ray.io/originated-from-crd"]);
    case "ServiceAccount":
      return buildAutoscalerServiceAccount(cluster);
    case "Role":
      return buildAutoscalerRole(cluster);
    case "RoleBinding":
      return buildAutoscalerRoleBinding(cluster);
    case "Secret":
      return buildAuthSecret(cluster, "x".repeat(44));
    case "PersistentVolumeClaim":
      return buildGcsClaim(cluster);
    case "Ingress":
      return buildIngress(cluster);
    case "NetworkPolicy":
      return buildNetworkPolicies(cluster).find((policy) => policy.metadata.name === object.metadata.name);
    case "Job":
      return buildRedisCleanupJob(cluster, settings);
    default:
      return undefined;
  }
}

function buildWorker(object: Json, cluster: RayCluster): Json | undefined {
  const { labels, name } = object.metadata;
  const group = cluster.spec.workerGroupSpecs?.find((candidate) => candidate.groupName === labels["ray.io/group"]);
  const replicaName = labels["ray.io/worker-group-replica-name"];
  return (
    group &&
    buildWorkerPod(cluster, group, settings, {
      name,
      replicaIndex: Number(labels["ray.io/worker-group-replica-index"]),
      hostIndex: Number(labels["ray.io/replica-host-index"] ?? 0),
      ...(replicaName && { replicaName }),
    })
  );
}

/**
 * Known differences: the wait script and the Redis script are ours (objects.md 11.1 and 15.4 tell what they do); the RayService
 * controller changes a head's `ray.io/serve` later; the reference writes the ports of some services in random order.
 */
function alike(object: Json): Json {
  const { labels } = object.metadata;
  if (labels?.["ray.io/node-type"] === "head" && labels["ray.io/serve"]) labels["ray.io/serve"] = "false";
  if (object.kind === "Service") object.spec.ports?.sort((a: Json, b: Json) => (a.name < b.name ? -1 : 1));
  if (object.kind === "Job") object.spec.template.spec.containers[0].args = ["a script that cleans Redis"];
  for (const container of object.spec?.initContainers ?? []) {
    if (container.name !== "wait-gcs-ready") continue;
    const address = /ray health-check --address (\S+)/.exec(container.args[0])?.[1]?.replace(/;$/, "");
    container.args = [`a script that waits for ${address}`];
  }
  return object;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
