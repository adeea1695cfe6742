// `ray-operator plan`: what a manifest would change in the current cluster, and why. It only reads, and asks the API
// server for its verdict by dry runs.
import type { Writable } from "node:stream";
import type { Pod, Service } from "../../api/v1/kubernetes.ts";
import { Label } from "../../api/v1/labels.ts";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { decide } from "../../controllers/raycluster/decide.ts";
import type { ObservedCluster } from "../../controllers/raycluster/observed.ts";
import { podView, serviceView } from "../../controllers/raycluster/views.ts";
import { suffixFrom } from "../../controllers/shared/names.ts";
import { pods, rayClusters, services } from "../../controllers/shared/resources.ts";
import type { Settings } from "../../controllers/shared/settings.ts";
import { Client } from "../../src/kube/client.ts";
import type { Action, Decision } from "../../src/kube/decision.ts";
import { needKey } from "../../src/kube/decision.ts";
import { ApiError, ConnectionError } from "../../src/kube/errors.ts";
import { KubeconfigError, loadConnection } from "../../src/kube/kubeconfig.ts";
import type { KubeObject, ObjectReference, ResourceType } from "../../src/kube/types.ts";
import { UserError } from "./errors.ts";
import { readManifests } from "./manifests.ts";
import { clusterOf, isRayCluster, settingsOf } from "./ray-manifests.ts";
import { type Paint, painter } from "./terminal.ts";

export interface PlanOptions {
  readonly filename: readonly string[];
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly featureGates?: string;
}

/** Prints the plan of every RayCluster in the files. */
export async function plan(options: PlanOptions, out: Writable): Promise<number> {
  const settings = settingsOf(options.featureGates);
  const manifests = readManifests(options.filename).filter(isRayCluster);
  if (manifests.length === 0) throw new UserError("no RayCluster in the manifest");
  const client = await connect(options);
  try {
    for (const manifest of manifests) {
      const cluster = clusterOf(manifest, options.namespace ?? client.connection.namespace);
      out.write(describePlan(await planCluster(client, cluster, settings), painter(out)));
    }
    return 0;
  } catch (error) {
    if (error instanceof ApiError || error instanceof ConnectionError) throw new UserError(error.message);
    throw error;
  } finally {
    await client.close();
  }
}

async function connect({ kubeconfig, context }: PlanOptions): Promise<Client> {
  try {
    return new Client(await loadConnection({ kubeconfig, context }));
  } catch (error) {
    if (error instanceof KubeconfigError) throw new UserError(error.message);
    throw error;
  }
}

/** What would happen to one cluster. */
export interface ClusterPlan {
  readonly cluster: RayCluster;
  /** What applying the manifest does to the RayCluster itself. */
  readonly manifest: "create" | "change" | "keep";
  readonly decision: Decision;
}

/** Computes the plan: the decision of the first reconcile after the manifest was applied. */
export async function planCluster(client: Client, wanted: RayCluster, settings: Settings): Promise<ClusterPlan> {
  const { name, namespace } = wanted.metadata;
  const stored = await getIfPresent<RayCluster & KubeObject>(client, { type: rayClusters, namespace, name });
  const applied = await dryRun(client, wanted, stored);
  const manifest = stored === undefined ? "create" : sameSpec(stored, applied) ? "keep" : "change";
  const seen = await observe(client, applied, stored !== undefined);
  return { cluster: applied, manifest, decision: await decideWithReads(client, seen, settings) };
}

/** The RayCluster as the API server would store it, its defaults and refusals included. */
function dryRun(client: Client, wanted: RayCluster, stored: RayCluster | undefined): Promise<RayCluster & KubeObject> {
  const { name, namespace, labels, annotations } = wanted.metadata;
  if (!stored) {
    // Not what the API server fills in: the manifest may come from `kubectl get` on another cluster.
    const metadata = {
      name,
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    };
    return client.create(rayClusters, { ...wanted, metadata } as KubeObject, { dryRun: true });
  }
  const metadata = {
    ...stored.metadata,
    labels: { ...stored.metadata.labels, ...labels },
    annotations: { ...stored.metadata.annotations, ...annotations },
  };
  return client.update(rayClusters, { ...stored, metadata, spec: wanted.spec } as KubeObject, { dryRun: true });
}

function sameSpec(stored: RayCluster, applied: RayCluster): boolean {
  return stored.metadata.generation === applied.metadata.generation;
}

async function observe(client: Client, cluster: RayCluster, exists: boolean): Promise<ObservedCluster> {
  const read = new Map<string, KubeObject | null>();
  if (!exists) return { cluster, pods: [], services: [], read };
  const [ownPods, ownServices] = await Promise.all([
    listOwned<Pod & KubeObject>(client, pods, cluster, `${Label.cluster}=${cluster.metadata.name}`),
    // The headless and the serve service do not carry the cluster's label.
    listOwned<Service & KubeObject>(client, services, cluster),
  ]);
  return { cluster, pods: ownPods.map(podView), services: ownServices.map(serviceView), read };
}

async function listOwned<T extends KubeObject>(
  client: Client,
  type: ResourceType,
  cluster: RayCluster,
  labelSelector?: string,
): Promise<T[]> {
  const { namespace, uid } = cluster.metadata;
  const owned: T[] = [];
  for await (const page of client.pages<T>(type, { namespace, ...(labelSelector && { labelSelector }) })) {
    const isOwned = (object: T) =>
      object.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === uid);
    owned.push(...page.items.filter(isOwned));
  }
  return owned;
}

async function decideWithReads(client: Client, observed: ObservedCluster, settings: Settings): Promise<Decision> {
  const read = new Map(observed.read);
  const context = {
    now: Date.now(),
    drawSuffix: suffixFrom((bound) => Math.floor(Math.random() * bound)),
    drawToken: () => "",
    settings,
  };
  for (;;) {
    const decision = decide({ ...observed, read }, context);
    const needs = (decision.needs ?? []).filter((need) => !read.has(needKey(need)));
    if (needs.length === 0) return decision;
    for (const need of needs) read.set(needKey(need), (await getIfPresent(client, need)) ?? null);
  }
}

async function getIfPresent<T extends KubeObject>(client: Client, reference: ObjectReference): Promise<T | undefined> {
  try {
    return await client.get<T>(reference);
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return undefined;
    throw error;
  }
}

const manifestWords = { create: "would be created", change: "would be changed", keep: "stays as it is" } as const;

/** The plan as text, one line an action. */
export function describePlan({ cluster, manifest, decision }: ClusterPlan, paint: Paint): string {
  const { namespace, name } = cluster.metadata;
  const lines = [paint("bold", `RayCluster ${namespace}/${name} ${manifestWords[manifest]}`)];
  if (decision.ignore !== undefined) lines.push(`  the operator leaves it alone: ${decision.ignore}`);
  for (const { type, reason, note } of decision.events ?? []) {
    if (type === "Warning") lines.push(`  ${paint("red", "!")} ${reason}: ${note}`);
  }
  if (decision.failure !== undefined) lines.push(`  ${paint("red", "!")} it would be tried again: ${decision.failure}`);
  lines.push(...decision.actions.map((action) => `  ${describeAction(action, paint)}`));
  if (lines.length === 1) lines.push("  nothing to do");
  return `${lines.join("\n")}\n`;
}

const signs = { create: ["green", "+"], delete: ["red", "-"], patch: ["yellow", "~"] } as const;

function describeAction(action: Action, paint: Paint): string {
  const [colour, sign] = signs[action.verb];
  const name = action.verb === "create" ? shownName(action.object) : action.name;
  return `${paint(colour, sign)} ${action.verb} ${action.type.kind} ${name}: ${action.reason}`;
}

/** A drawn name is another one each time: only its prefix means something. */
function shownName({ metadata }: KubeObject): string {
  return metadata.generateName === undefined ? metadata.name : `${metadata.generateName}*`;
}
