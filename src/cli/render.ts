// `ray-operator render`: the objects that a RayCluster makes, without a cluster.
import type { Writable } from "node:stream";
import type { RayCluster } from "../../api/v1/raycluster.ts";
import { decide } from "../../controllers/raycluster/decide.ts";
import type { ObservedCluster } from "../../controllers/raycluster/observed.ts";
import { SUFFIX_ALPHABET, SUFFIX_LENGTH } from "../../controllers/shared/names.ts";
import { serviceAccounts } from "../../controllers/shared/resources.ts";
import type { Settings } from "../../controllers/shared/settings.ts";
import { type Decision, needKey } from "../../src/kube/decision.ts";
import type { KubeObject, ObjectReference } from "../../src/kube/types.ts";
import { UserError } from "./errors.ts";
import { readManifests, toYaml } from "./manifests.ts";
import { clusterOf, isRayCluster, settingsOf } from "./ray-manifests.ts";

export interface RenderOptions {
  readonly filename: readonly string[];
  readonly namespace?: string;
  readonly featureGates?: string;
}

/** Prints what the first reconcile of every RayCluster in the files would create. */
export function render(options: RenderOptions, out: Writable): number {
  const settings = settingsOf(options.featureGates);
  const clusters = readManifests(options.filename).filter(isRayCluster);
  if (clusters.length === 0) throw new UserError("no RayCluster in the manifest");
  const objects = clusters.flatMap((manifest) => renderCluster(clusterOf(manifest, options.namespace), settings));
  out.write(toYaml(objects));
  return 0;
}

/**
 * The objects in the order of their creation. Names have endings that count up (so that two runs give the same text),
 * and there is no owner reference, because the RayCluster has no UID yet.
 */
export function renderCluster(cluster: RayCluster, settings: Settings): object[] {
  const decision = decideFresh(cluster, settings);
  const [refused] = decision.events?.filter(({ type }) => type === "Warning") ?? [];
  if (decision.actions.length === 0 && refused) throw new UserError(refused.note);
  if (decision.ignore !== undefined) throw new UserError(`the operator would leave it alone: ${decision.ignore}`);
  return decision.actions
    .flatMap((action) => (action.verb === "create" ? [{ wave: action.wave, object: action.object }] : []))
    .toSorted((a, b) => a.wave - b.wave)
    .map(({ object }) => withoutOwner(object));
}

function decideFresh(cluster: RayCluster, settings: Settings): Decision {
  const read = new Map<string, KubeObject | null>();
  const seen: ObservedCluster = { cluster, pods: [], services: [], read };
  const context = { now: Date.now(), drawSuffix: countingSuffixes(), drawToken: () => shownToken, settings };
  for (;;) {
    const decision = decide(seen, context);
    const needs = (decision.needs ?? []).filter((need) => !read.has(needKey(need)));
    if (needs.length === 0) return decision;
    for (const need of needs) read.set(needKey(need), usersOwn(cluster, need));
  }
}

/** Stands for the random token of an authentication Secret, which the operator draws anew for every cluster. */
const shownToken = "<random>";

/** Nothing exists yet but what the user says is there: a service account named in the head's template. */
function usersOwn(cluster: RayCluster, { type, name }: ObjectReference): KubeObject | null {
  const named = cluster.spec.headGroupSpec.template.spec?.serviceAccountName;
  if (type !== serviceAccounts || name !== named) return null;
  return { apiVersion: type.apiVersion, kind: type.kind, metadata: { name } };
}

function withoutOwner(object: KubeObject): object {
  const { ownerReferences: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** `bbbbb`, `bbbbc`, ...: unique and the same in every run. */
function countingSuffixes(): () => string {
  let drawn = 0;
  return () => {
    const digits = Array.from({ length: SUFFIX_LENGTH }, (_, place) => {
      const weight = SUFFIX_ALPHABET.length ** (SUFFIX_LENGTH - 1 - place);
      return SUFFIX_ALPHABET[Math.floor(drawn / weight) % SUFFIX_ALPHABET.length];
    });
    drawn += 1;
    return digits.join("");
  };
}
