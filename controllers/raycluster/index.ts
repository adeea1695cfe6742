// Wires the RayCluster controller: what it watches, what it keeps, and its pure functions.

import type { Pod, Service } from "../../api/v1/kubernetes.ts";
import { Label, NodeType } from "../../api/v1/labels.ts";
import type { RayCluster, RayClusterStatus } from "../../api/v1/raycluster.ts";
import { type ObjectCache, withoutBookkeeping } from "../../src/kube/cache.ts";
import type { ControllerDefinition, Manager } from "../../src/kube/manager.ts";
import { type DecideContext, keyOf, type ObjectKeyParts, type ReadObjects } from "../../src/kube/reconciler.ts";
import { changesOf, keysIn } from "../../src/kube/sources.ts";
import { pods, rayClusters, services } from "../shared/resources.ts";
import type { Settings } from "../shared/settings.ts";
import { decide } from "./decide.ts";
import type { ObservedCluster } from "./observed.ts";
import type { RuleContext } from "./rules/rule.ts";
import { differs, status } from "./status.ts";
import { type PodView, podView, type ServiceView, serviceView } from "./views.ts";

/** What the controller knows without asking. Filled while the process leads. */
export interface RayClusterCaches {
  readonly clusters: ObjectCache<RayCluster>;
  readonly pods: ObjectCache<PodView>;
  readonly services: ObjectCache<ServiceView>;
}

export interface RayClusterControllerOptions {
  readonly settings: Settings;
  readonly concurrency?: number;
  /** A new authentication token: 32 random bytes in base64. */
  readonly drawToken: () => string;
  /** After a status write, for metrics. */
  readonly statusWritten?: (cluster: RayCluster, before: RayClusterStatus | undefined, after: RayClusterStatus) => void;
  readonly gone?: (key: ObjectKeyParts) => void;
}

const OWNER = "owner";
/** Longest pause between two tries, so that a raised quota or a mended webhook is noticed within a minute. */
const LONGEST_PAUSE_MS = 60_000;

/** Declares the caches on the manager; before its `run`. */
export function rayClusterCaches(manager: Pick<Manager, "cache">): RayClusterCaches {
  const indexes = {
    [OWNER]: ({ metadata, owner }: PodView | ServiceView) => owner && ownedBy(metadata.namespace, owner.uid),
  };
  return {
    clusters: manager.cache<RayCluster>({
      type: rayClusters,
      project: (object) => withoutBookkeeping(object) as RayCluster,
    }),
    pods: manager.cache<PodView>({
      type: pods,
      labelSelector: `${Label.nodeType} in (${Object.values(NodeType).join(",")})`,
      project: (object) => podView(object as Pod),
      indexes,
    }),
    services: manager.cache<ServiceView>({
      type: services,
      project: (object) => serviceView(object as Service),
      indexes,
    }),
  };
}

/** The controller for `Manager.add`. */
export function rayClusterController(
  caches: RayClusterCaches,
  options: RayClusterControllerOptions,
): ControllerDefinition<ObservedCluster, RayClusterStatus> {
  const { settings, drawToken, statusWritten, gone, concurrency } = options;
  const ruleContext = (context: DecideContext): RuleContext => ({ ...context, drawToken, settings });
  return {
    maxDelayMs: LONGEST_PAUSE_MS,
    ...(concurrency !== undefined && { concurrency }),
    sources: [changesOf(caches.clusters), keysIn(caches.pods, ownerKey), keysIn(caches.services, ownerKey)],
    reconciler: {
      name: "raycluster",
      primary: rayClusters,
      observe: (key, read) => observe(caches, key, read),
      object: ({ cluster }) => cluster,
      decide: (seen, context) => decide(seen, ruleContext(context)),
      status: (seen, outcomes, decision, context) => status(seen, outcomes, decision, ruleContext(context)),
      storedStatus: ({ cluster }) => cluster.status,
      differs,
      statusWritten: ({ cluster }, before, after) => statusWritten?.(cluster, before, after),
      ...(gone && { gone }),
    },
  };
}

function observe(caches: RayClusterCaches, key: ObjectKeyParts, read: ReadObjects): ObservedCluster | undefined {
  const { namespace, name } = key;
  const cluster = caches.clusters.get(namespace, name);
  if (!cluster) return undefined;
  const owner = ownedBy(namespace, cluster.metadata.uid ?? "");
  return { cluster, read, pods: caches.pods.byIndex(OWNER, owner), services: caches.services.byIndex(OWNER, owner) };
}

/** An owner is in its object's own namespace: whoever may write elsewhere must not reach into this one. */
function ownedBy(namespace: string | undefined, uid: string): string {
  return `${namespace}/${uid}`;
}

function ownerKey({ metadata, owner }: PodView | ServiceView): string | undefined {
  return owner && keyOf(metadata.namespace, owner.name);
}
