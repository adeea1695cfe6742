// What must be there in the end of everything that goes wrong: all of it, once.
import { expect } from "chai";
import type { Pod, Service } from "../../../../api/v1/kubernetes.ts";
import type { RayCluster } from "../../../../api/v1/raycluster.ts";
import { names, WORKERS } from "./scenarios.ts";
import { conditionOf, isHead, isLeaving, namesOf, type TestNamespace } from "./test-namespace.ts";

export interface Everything {
  readonly clusters: RayCluster[];
  readonly pods: Pod[];
  readonly services: Service[];
}

/** All there is in a namespace. */
export async function everything(namespace: TestNamespace): Promise<Everything> {
  const [clusters, pods, services] = await Promise.all([
    namespace.list<RayCluster>("rayclusters"),
    namespace.list<Pod>("pods"),
    namespace.list<Service>("services"),
  ]);
  return { clusters, pods, services };
}

/** Throws unless each cluster has one head, its workers and its head service, and there is nothing else at all. */
export function exactlyWhatIsWanted({ clusters, pods, services }: Everything): void {
  const wanted = clusters.map(({ metadata }) => ({ owner: metadata.uid, heads: 1, workers: WORKERS, services: 1 }));
  const of = (uid: string | undefined) => (object: Pod | Service) =>
    object.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === uid) ?? false;
  const found = clusters.map(({ metadata: { uid } }) => ({
    owner: uid,
    heads: pods.filter(of(uid)).filter(isHead).length,
    workers: pods.filter(of(uid)).filter((pod) => !isHead(pod)).length,
    services: services.filter(of(uid)).length,
  }));
  expect(namesOf(clusters).sort()).to.deep.equal(names);
  expect(found).to.deep.equal(wanted);
  expect(pods, "pods of nobody").to.have.length(clusters.length * (1 + WORKERS));
  expect(namesOf(services).sort()).to.deep.equal(names.map((name) => `${name}-head-svc`));
  expect(pods.filter(isLeaving), "pods that are leaving").to.deep.equal([]);
  for (const cluster of clusters) tellsTheTruth(cluster, pods.filter(of(cluster.metadata.uid)));
}

function tellsTheTruth(cluster: RayCluster, pods: readonly Pod[]): void {
  const head = pods.find(isHead);
  const conditions = ["HeadPodReady", "RayClusterProvisioned"].map((type) => conditionOf(cluster, type)?.status);
  const { state, observedGeneration, readyWorkerReplicas, desiredWorkerReplicas, head: told } = cluster.status ?? {};
  const status = { state, observedGeneration, readyWorkerReplicas, desiredWorkerReplicas, conditions };
  expect({ ...status, head: told?.podName, ip: told?.podIP }, `status of ${cluster.metadata.name}`).to.deep.equal({
    ...{ state: "ready", observedGeneration: cluster.metadata.generation, conditions: ["True", "True"] },
    ...{ readyWorkerReplicas: WORKERS, desiredWorkerReplicas: WORKERS },
    ...{ head: head?.metadata.name, ip: head?.status?.podIP },
  });
  expect(conditionOf(cluster, "ReplicaFailure"), `ReplicaFailure of ${cluster.metadata.name}`).to.equal(undefined);
  expect(conditionOf(cluster, "Reconciled"), `Reconciled of ${cluster.metadata.name}`).to.equal(undefined);
}
