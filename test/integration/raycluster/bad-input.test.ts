// Objects that cannot be reconciled: each says why in one condition and one event, costs little, harms nobody else, and
// goes on by itself once the cause is gone.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { eventually } from "../../support/eventually.ts";
import { describeWrite, type Write } from "./support/audit-log.ts";
import { rayCluster, workerGroup } from "./support/clusters.ts";
import { useOperator, useTestCluster } from "./support/test-cluster.ts";
import { namesOf, type SpecPatch, type TestNamespace } from "./support/test-namespace.ts";

/** How long each bad object is left as it is, to see what it costs. */
const OBSERVED_MS = 20_000;

interface BadInput {
  readonly what: string;
  readonly cluster: RayCluster;
  /** Makes the namespace what the case needs. */
  readonly prepare?: (namespace: TestNamespace) => Promise<unknown>;
  readonly condition: { readonly type: string; readonly reason: string; readonly message: RegExp };
  readonly event: string;
  /** Most writes that the operator may try meanwhile, refused ones included. */
  readonly mostWrites: number;
  /** Takes the cause away. */
  readonly mend: (namespace: TestNamespace, name: string) => Promise<unknown>;
  readonly workers: number;
}

const longName = "n".repeat(63);
const refusedSpec = (message: RegExp) => ({ type: "Reconciled", reason: "InvalidRayClusterSpec", message });

const cases: readonly BadInput[] = [
  {
    what: "no spec",
    cluster: { ...rayCluster("bad"), spec: undefined } as unknown as RayCluster,
    condition: refusedSpec(/headGroupSpec should have at least one container/),
    event: "InvalidRayClusterSpec",
    mostWrites: 1,
    mend: (namespace, name) => namespace.edit(name, rayCluster("good").spec as SpecPatch),
    workers: 2,
  },
  {
    what: "two groups of one name",
    cluster: rayCluster("bad", { spec: { workerGroupSpecs: [workerGroup("twin"), workerGroup("twin")] } }),
    condition: refusedSpec(/worker group names must be unique, but twin is used more than once/),
    event: "InvalidRayClusterSpec",
    mostWrites: 1,
    mend: (namespace, name) => namespace.edit(name, { workerGroupSpecs: [workerGroup("one"), workerGroup("two")] }),
    workers: 2,
  },
  {
    what: "minReplicas over maxReplicas",
    cluster: rayCluster("bad", { group: { minReplicas: 5, maxReplicas: 1 } }),
    condition: refusedSpec(/worker group small has minReplicas 5 greater than maxReplicas 1/),
    event: "InvalidRayClusterSpec",
    mostWrites: 1,
    mend: (namespace, name) => namespace.editGroup(name, { maxReplicas: 5 }),
    workers: 5,
  },
  {
    what: "no container in the head's template",
    cluster: rayCluster("bad", {
      spec: { headGroupSpec: { rayStartParams: {}, template: { spec: { containers: [] } } } },
    }),
    condition: refusedSpec(/headGroupSpec should have at least one container/),
    event: "InvalidRayClusterSpec",
    mostWrites: 1,
    mend: (namespace, name) => namespace.edit(name, { headGroupSpec: rayCluster("good").spec.headGroupSpec }),
    workers: 2,
  },
  {
    what: "a head's template that the API server refuses",
    cluster: badTemplate("head"),
    condition: {
      type: "ReplicaFailure",
      reason: "FailedCreateHeadPod",
      message: /Pod "bad-head-" is invalid: spec\.containers\[0\]\.volumeMounts\[\d+\]\.name: Not found: "absent"/,
    },
    event: "FailedToCreateHeadPod",
    mostWrites: 20,
    mend: (namespace, name) => namespace.edit(name, { headGroupSpec: rayCluster("good").spec.headGroupSpec }),
    workers: 3,
  },
  {
    what: "a worker's template that the API server refuses",
    cluster: badTemplate("worker"),
    condition: {
      type: "ReplicaFailure",
      reason: "FailedCreateWorkerPod",
      message:
        /Pod "bad-small-worker-" is invalid: \[?spec\.containers\[0\]\.volumeMounts\[\d+\]\.name: Not found: "absent"/,
    },
    event: "FailedToCreateWorkerPod",
    mostWrites: 45,
    mend: (namespace, name) => namespace.edit(name, { workerGroupSpecs: [workerGroup("small")] }),
    workers: 1,
  },
  {
    what: "a quota that allows the head and one worker",
    cluster: rayCluster("bad", { replicas: 3 }),
    prepare: (namespace) => namespace.api.request("POST", namespace.path("resourcequotas"), quota("2")),
    condition: {
      type: "ReplicaFailure",
      reason: "FailedCreateWorkerPod",
      message: /pods "bad-small-worker-" is forbidden: exceeded quota: few/,
    },
    event: "FailedToCreateWorkerPod",
    mostWrites: 45,
    mend: (namespace) => namespace.api.request("PUT", namespace.path("resourcequotas", "few"), quota("10")),
    workers: 3,
  },
  {
    what: "the head service's name taken by somebody's service",
    cluster: rayCluster("bad"),
    prepare: (namespace) => namespace.api.request("POST", namespace.path("services"), foreignService),
    condition: {
      type: "Reconciled",
      reason: "FailedToCreateService",
      message: /services "bad-head-svc" already exists/,
    },
    event: "FailedToCreateService",
    mostWrites: 20,
    mend: (namespace) => namespace.remove("bad-head-svc", "services"),
    workers: 2,
  },
  {
    what: "an autoscaler under a service account that does not exist",
    cluster: underMissingAccount(),
    condition: {
      type: "Reconciled",
      reason: "FailedToReconcile",
      message: /service account .*\/absent .* does not exist/,
    },
    event: "AutoscalerServiceAccountNotFound",
    mostWrites: 5,
    mend: (namespace) =>
      namespace.api.request("POST", namespace.path("serviceaccounts"), { metadata: { name: "absent" } }),
    workers: 2,
  },
  {
    what: "a name that is too long for a service",
    cluster: rayCluster(longName),
    condition: {
      type: "Reconciled",
      reason: "InvalidRayClusterMetadata",
      message: /RayCluster name should be no more than 53 characters/,
    },
    event: "InvalidRayClusterMetadata",
    mostWrites: 1,
    // A name stays; the object with the right one is another.
    mend: async (namespace, name) => {
      await namespace.remove(name);
      await namespace.create(rayCluster("bad"));
    },
    workers: 2,
  },
];

describe("a RayCluster that is no RayCluster", () => {
  const running = useTestCluster();
  const good = rayCluster("bad").spec;
  const refused: readonly [string, unknown, RegExp][] = [
    ["no head", { workerGroupSpecs: [] }, /spec\.headGroupSpec: Required value/],
    [
      "a text for a number",
      { ...good, workerGroupSpecs: [{ ...workerGroup("a"), replicas: "two" }] },
      /spec\.workerGroupSpecs\[0\]\.replicas: Invalid value: "string"/,
    ],
    ["a list for an object", { ...good, headGroupSpec: [] }, /spec\.headGroupSpec: Invalid value: "array"/],
    ["a number for a flag", { ...good, suspend: 1 }, /spec\.suspend: Invalid value: "integer"/],
  ];
  for (const [what, spec, message] of refused) {
    it(`because of ${what} is refused by the API server with the field's path`, async () => {
      const namespace = await running().namespace("bad");
      const create = namespace.create({ ...rayCluster("bad"), spec } as RayCluster);
      const error = await create.then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error?.message).to.match(message);
    });
  }
});

describe("a RayCluster that cannot be reconciled", function () {
  this.timeout(120_000);
  const running = useOperator();
  const played = new Map<BadInput, { readonly namespace: TestNamespace; readonly writes: readonly Write[] }>();

  before(async () => {
    const { cluster } = running();
    const mark = cluster.audit.mark();
    const namespaces = await Promise.all(cases.map(() => cluster.namespace("bad")));
    await Promise.all(
      cases.map(async ({ prepare, cluster: bad }, i) => {
        await prepare?.(namespaces[i]!);
        await namespaces[i]!.create(bad);
      }),
    );
    const healthy = await cluster.namespace("healthy");
    await healthy.create(rayCluster("fine"));
    await healthy.settled("fine", 2, 5_000);
    await sleep(OBSERVED_MS);
    const writes = cluster.audit.writes(mark);
    cases.forEach((bad, i) => {
      const namespace = namespaces[i]!;
      played.set(bad, { namespace, writes: writes.filter((write) => write.namespace === namespace.name) });
    });
  });

  for (const bad of cases) {
    const { what, condition, event, mostWrites } = bad;
    const name = bad.cluster.metadata.name;

    it(`because of ${what}, says so in ${condition.type} and one event, with at most ${mostWrites} writes in 20 s`, async () => {
      const { namespace, writes } = played.get(bad)!;
      const { metadata, status } = await namespace.get(name);
      const { type, reason, message } = condition;
      const told = status?.conditions?.find((item) => item.type === type);
      expect(told).to.include({ status: type === "Reconciled" ? "False" : "True", reason });
      expect(told?.message).to.match(message);
      expect(status?.observedGeneration).to.equal(metadata.generation);
      const warnings = (await namespace.events(name)).filter((item) => item.type === "Warning");
      expect(warnings.map((item) => item.reason)).to.deep.equal([event]);
      expect(warnings[0]?.note).to.match(message);
      expect(writes.length, writes.map(describeWrite).join("\n")).to.be.at.most(mostWrites);
    });
  }

  describe("and whose cause is taken away", () => {
    before(() => Promise.all(cases.map((bad) => bad.mend(played.get(bad)!.namespace, bad.cluster.metadata.name))));

    for (const bad of cases) {
      it(`goes on by itself after ${bad.what}`, async () => {
        const { namespace } = played.get(bad)!;
        const { status } = await namespace.settled("bad", bad.workers, 70_000);
        const types = status?.conditions?.map(({ type }) => type);
        expect(types).not.to.include.any.members(["ReplicaFailure", "Reconciled"]);
      });
    }
  });

  it("because its namespace is being deleted, goes with it, costs little, and holds nobody up", async () => {
    const { cluster } = running();
    const [namespace, healthy] = [await cluster.namespace("going"), await cluster.namespace("healthy")];
    const names = Array.from({ length: 5 }, (_, index) => `c${index}`);
    await Promise.all(names.map((name) => namespace.create(rayCluster(name, { replicas: 4 }))));
    await Promise.all(names.map((name) => namespace.settled(name, 4)));
    const mark = cluster.audit.mark();
    await cluster.api.request("DELETE", `/api/v1/namespaces/${namespace.name}`);
    await healthy.create(rayCluster("fine"));
    await healthy.settled("fine", 2, 5_000);
    await eventually(
      async () => {
        const { items } = await cluster.api.get<{ items: { metadata: { name: string } }[] }>("/api/v1/namespaces");
        expect(namesOf(items)).not.to.include(namespace.name);
      },
      { withinMs: 60_000 },
    );
    const writes = cluster.audit.writes(mark).filter((write) => write.namespace === namespace.name);
    expect(writes.length, writes.map(describeWrite).join("\n")).to.be.at.most(100);
  });

  it("does not make the operator fail", () => expect(running().operator.panics).to.deep.equal([]));
});

function badTemplate(group: "head" | "worker"): RayCluster {
  const cluster = rayCluster("bad", { replicas: 3 });
  const { template } = group === "head" ? cluster.spec.headGroupSpec : cluster.spec.workerGroupSpecs![0]!;
  template.spec!.containers[0]!.volumeMounts = [{ name: "absent", mountPath: "/data" }];
  return cluster;
}

function underMissingAccount(): RayCluster {
  const cluster = rayCluster("bad", { spec: { enableInTreeAutoscaling: true } });
  cluster.spec.headGroupSpec.template.spec!.serviceAccountName = "absent";
  return cluster;
}

function quota(pods: string): object {
  return { metadata: { name: "few" }, spec: { hard: { pods } } };
}

const foreignService = {
  metadata: { name: "bad-head-svc", labels: { app: "somebody-elses" } },
  spec: { ports: [{ name: "http", port: 80 }] },
};
