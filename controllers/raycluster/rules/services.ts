// The services of a RayCluster: created when missing, never changed afterwards (raycluster-controller.md 9.4 to 9.6).
import { Annotation, Label, NodeType } from "../../../api/v1/labels.ts";
import type { Decision } from "../../../src/kube/decision.ts";
import { serveServiceName } from "../../shared/names.ts";
import { services } from "../../shared/resources.ts";
import { buildHeadService } from "../objects/head-service.ts";
import { buildHeadlessService } from "../objects/headless-service.ts";
import { buildServeService } from "../objects/serve-service.ts";
import { hostsOf, type ObservedCluster } from "../observed.ts";
import type { ServiceView } from "../views.ts";
import { createService, type RuleContext, Wave } from "./rule.ts";

/** The service that a head answers under. */
export function headServiceOf(seen: ObservedCluster): ServiceView | undefined {
  return seen.services.find((service) => service.metadata.labels[Label.nodeType] === NodeType.head);
}

export function headService(seen: ObservedCluster, { settings }: RuleContext): Partial<Decision> {
  if (headServiceOf(seen)) return {};
  const service = buildHeadService(seen.cluster, settings);
  return { actions: [createService(service, "the cluster has no head service")] };
}

/** Peers of a multi-host replica find each other by it. */
export function headlessService(seen: ObservedCluster): Partial<Decision> {
  if (!seen.cluster.spec.workerGroupSpecs?.some((group) => hostsOf(group) > 1)) return {};
  if (seen.services.some((service) => Label.headlessWorkerService in service.metadata.labels)) return {};
  const service = buildHeadlessService(seen.cluster);
  return { actions: [createService(service, "a worker group has more than one host a replica")] };
}

export function serveService(seen: ObservedCluster): Partial<Decision> {
  const { cluster } = seen;
  if (cluster.metadata.annotations?.[Annotation.enableServeService] !== "true") return {};
  const name = serveServiceName(cluster.metadata.name);
  if (seen.services.some((existing) => existing.metadata.name === name)) return {};
  const service = buildServeService(cluster);
  if ("problem" in service) return { failure: `no serve service: ${service.problem}` };
  const reason = `annotation ${Annotation.enableServeService} asks for a serve service`;
  return {
    actions: [
      { verb: "create", type: services, object: service, wave: Wave.dependencies, reason, adoptExisting: true },
    ],
  };
}
