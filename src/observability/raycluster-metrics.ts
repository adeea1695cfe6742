// `kuberay_cluster_*`: the metrics about RayClusters, present with --enable-metrics (raycluster-controller.md section
// 18, operator.md sections 15.1 and 15.2).
import { Gauge, Histogram, type Registry } from "prom-client";
import { RayClusterConditionType } from "../../api/v1/conditions.ts";
import { Label } from "../../api/v1/labels.ts";

/** The parts of a RayCluster that its metrics are made of. */
export interface MeasuredCluster {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly creationTimestamp?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
  readonly status?: MeasuredStatus | undefined;
}

export interface MeasuredStatus {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[] | undefined;
}

/** What the controller tells the metrics. */
export interface RayClusterMetrics {
  /** A status has been written: `cluster` as it was before with its new `status`. */
  statusWritten(cluster: MeasuredCluster, status: MeasuredStatus, now: Date): void;
  /** The object is gone: its duration goes too. */
  deleted(namespace: string, name: string): void;
}

/**
 * Registers the metrics. `list` gives all clusters and is called once a scrape; on a replica that does not lead it
 * gives none, so that sums over replicas are right.
 */
export function rayClusterMetrics(registry: Registry, list: () => Iterable<MeasuredCluster>): RayClusterMetrics {
  const registers = [registry];
  stateMetrics(registers, list);
  const duration = new Gauge({
    name: "kuberay_cluster_provisioned_duration_seconds",
    help: "Seconds from the creation of a RayCluster until all of its pods were ready for the first time.",
    ...{ labelNames: ["name", "namespace", "uid"] as const, registers },
  });
  const durations = new Histogram({
    name: "ray_operator_cluster_provisioned_seconds",
    help: "The same over all RayClusters since this process started, as a distribution.",
    ...{ registers, buckets: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600] },
  });
  const uids = new Map<string, Set<string>>();
  return {
    statusWritten: (cluster, status, now) => {
      const { name, namespace = "", uid = "", creationTimestamp } = cluster.metadata;
      if (isProvisioned(cluster.status) || !isProvisioned(status) || creationTimestamp === undefined) return;
      const seconds = (now.getTime() - Date.parse(creationTimestamp)) / 1000;
      duration.set({ name, namespace, uid }, seconds);
      durations.observe(seconds);
      uids.set(`${namespace}/${name}`, (uids.get(`${namespace}/${name}`) ?? new Set()).add(uid));
    },
    deleted: (namespace, name) => {
      for (const uid of uids.get(`${namespace}/${name}`) ?? []) duration.remove({ name, namespace, uid });
      uids.delete(`${namespace}/${name}`);
    },
  };
}

/** Always 1; what they say is in their labels. They are made anew with every scrape. */
function stateMetrics(registers: Registry[], list: () => Iterable<MeasuredCluster>): void {
  const names = ["name", "namespace", "uid"] as const;
  new Gauge({
    name: "kuberay_cluster_info",
    help: "Always 1: one series a RayCluster, with the kind of object that it was made for.",
    ...{ labelNames: [...names, "owner_kind"], registers },
    collect() {
      this.reset();
      for (const cluster of list()) {
        this.set(
          { ...identity(cluster), owner_kind: cluster.metadata.labels?.[Label.originatedFromKind] ?? "None" },
          1,
        );
      }
    },
  });
  new Gauge({
    name: "kuberay_cluster_condition_provisioned",
    help: "Always 1: whether the condition RayClusterProvisioned of a RayCluster is True.",
    ...{ labelNames: [...names, "condition"], registers },
    collect() {
      this.reset();
      for (const cluster of list()) {
        this.set({ ...identity(cluster), condition: String(isProvisioned(cluster.status)) }, 1);
      }
    },
  });
}

function identity({ metadata: { name, namespace = "", uid = "" } }: MeasuredCluster) {
  return { name, namespace, uid };
}

function isProvisioned(status: MeasuredStatus | undefined): boolean {
  const condition = status?.conditions?.find(({ type }) => type === RayClusterConditionType.provisioned);
  return condition?.status === "True";
}
