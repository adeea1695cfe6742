// What users do to 20 RayClusters while their operator is killed: one step before each kill, so that every kill falls
// into work.
import { simulate } from "../../../../src/local/simulated/stages.ts";
import { rayCluster } from "./clusters.ts";
import type { Random } from "./random.ts";
import { namesOf, type TestNamespace } from "./test-namespace.ts";

export const WORKERS = 4;
export const names = Array.from({ length: 20 }, (_, index) => `c${String(index).padStart(2, "0")}`);

export interface Step {
  readonly namespace: TestNamespace;
  readonly random: Random;
  /** 0 for the first of the scenario's `of` steps. */
  readonly number: number;
  readonly of: number;
}

export interface Scenario {
  /** Completes "kill -9 while ...". */
  readonly name: string;
  /** Two operators with leader election instead of one without. */
  readonly pair?: boolean;
  /** The steps make the clusters; else they are there, ready, from the scenario before. */
  readonly fromNothing?: boolean;
  readonly step: (step: Step) => Promise<unknown>;
}

export const scenarios: readonly Scenario[] = [
  { name: "20 clusters of 5 pods come up", fromNothing: true, step: createShare },
  { name: "they are scaled, suspended and resumed", step: scaleAndSuspend },
  { name: "they are deleted and made again under the same names", step: recreate },
  { name: "pods are deleted and fail, heads among them", step: losePods },
  { name: "20 clusters come up and two operators share a lease", pair: true, fromNothing: true, step: createShare },
];

/** A head and its workers, which end for good when they fail. */
export function create(namespace: TestNamespace, name: string): Promise<unknown> {
  const cluster = rayCluster(name, { replicas: WORKERS });
  for (const { template } of [cluster.spec.headGroupSpec, ...(cluster.spec.workerGroupSpecs ?? [])]) {
    if (template.spec) template.spec.restartPolicy = "Never";
  }
  return namespace.create(cluster);
}

/** Makes a cluster what it is to be in the end, whatever it is now. */
export async function restore(namespace: TestNamespace, name: string): Promise<void> {
  await namespace.edit(name, { suspend: false });
  await namespace.editGroup(name, { replicas: WORKERS });
}

function createShare({ namespace, number, of }: Step): Promise<unknown> {
  return Promise.all(names.filter((_, index) => index % of === number).map((name) => create(namespace, name)));
}

function scaleAndSuspend({ namespace, random }: Step): Promise<unknown> {
  return Promise.all(
    random.sample(names, 10).map((name) => {
      const [replicas, suspend] = [random.integer(0, 8), random.chance(0.5)];
      if (random.chance(0.4)) return namespace.edit(name, { suspend });
      return namespace.editGroup(name, { replicas });
    }),
  );
}

function recreate({ namespace, random }: Step): Promise<unknown> {
  return Promise.all(
    random.sample(names, 7).map(async (name) => {
      await namespace.remove(name, "rayclusters", { propagationPolicy: "Background" });
      await create(namespace, name);
    }),
  );
}

async function losePods({ namespace, random }: Step): Promise<unknown> {
  const pods = namesOf(await namespace.list("pods"));
  const failing = { metadata: { annotations: { [simulate.exitCode]: "1", [simulate.exitAfter]: "10ms" } } };
  return Promise.allSettled(
    random.sample(pods, 15).map((name) => {
      if (random.chance(0.5)) return namespace.remove(name, "pods");
      return namespace.api.request("PATCH", namespace.path("pods", name), failing, "application/merge-patch+json");
    }),
  );
}
