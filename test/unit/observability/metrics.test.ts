import { expect } from "chai";
import prometheus from "prom-client";
import { createRegistry, serveMetrics } from "../../../src/observability/metrics.ts";
import { type MeasuredCluster, rayClusterMetrics } from "../../../src/observability/raycluster-metrics.ts";

const cluster = (
  name: string,
  provisioned?: "True" | "False",
  labels: Record<string, string> = {},
): MeasuredCluster => ({
  metadata: { name, namespace: "ns", uid: `uid-${name}`, creationTimestamp: "2026-01-01T00:00:00Z", labels },
  ...(provisioned && { status: { conditions: [{ type: "RayClusterProvisioned", status: provisioned }] } }),
});
const provisioned = { conditions: [{ type: "RayClusterProvisioned", status: "True" }] };
const at = (seconds: number) => new Date(Date.parse("2026-01-01T00:00:00Z") + seconds * 1000);

async function series(registry: prometheus.Registry, name: string): Promise<string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe("the metrics about RayClusters", () => {
  it("show one series a cluster with the kind it was made for, and forget deleted ones", async () => {
    const registry = new prometheus.Registry();
    let clusters = [cluster("a", "True", { "ray.io/originated-from-crd": "RayService" }), cluster("b")];
    rayClusterMetrics(registry, () => clusters);
    expect(await series(registry, "kuberay_cluster_info")).to.deep.equal([
      'kuberay_cluster_info{name="a",namespace="ns",uid="uid-a",owner_kind="RayService"} 1',
      'kuberay_cluster_info{name="b",namespace="ns",uid="uid-b",owner_kind="None"} 1',
    ]);
    clusters = [cluster("b", "True")];
    expect(await series(registry, "kuberay_cluster_info")).to.have.lengthOf(1);
    expect(await series(registry, "kuberay_cluster_condition_provisioned")).to.deep.equal([
      'kuberay_cluster_condition_provisioned{name="b",namespace="ns",uid="uid-b",condition="true"} 1',
    ]);
  });

  it("show how long provisioning took once the condition turns True, counted from creation", async () => {
    const registry = new prometheus.Registry();
    const metrics = rayClusterMetrics(registry, () => []);
    metrics.statusWritten(cluster("a", "False"), { conditions: [] }, at(5));
    expect(await series(registry, "kuberay_cluster_provisioned_duration_seconds")).to.deep.equal([]);
    metrics.statusWritten(cluster("a", "False"), provisioned, at(12));
    metrics.statusWritten(cluster("a", "True"), provisioned, at(99));
    expect(await series(registry, "kuberay_cluster_provisioned_duration_seconds")).to.deep.equal([
      'kuberay_cluster_provisioned_duration_seconds{name="a",namespace="ns",uid="uid-a"} 12',
    ]);
    expect(await series(registry, "ray_operator_cluster_provisioned_seconds_count")).to.deep.equal([
      "ray_operator_cluster_provisioned_seconds_count 1",
    ]);
  });

  it("drop the duration of a deleted cluster only, not of its namesake elsewhere", async () => {
    const registry = new prometheus.Registry();
    const metrics = rayClusterMetrics(registry, () => []);
    metrics.statusWritten(cluster("a"), provisioned, at(1));
    metrics.statusWritten(cluster("b"), provisioned, at(2));
    metrics.deleted("other", "a");
    metrics.deleted("a", "ns");
    metrics.deleted("", "");
    expect(await series(registry, "kuberay_cluster_provisioned_duration_seconds")).to.have.lengthOf(2);
    metrics.deleted("ns", "a");
    expect(await series(registry, "kuberay_cluster_provisioned_duration_seconds")).to.deep.equal([
      'kuberay_cluster_provisioned_duration_seconds{name="b",namespace="ns",uid="uid-b"} 2',
    ]);
  });
});

describe("the metrics endpoint", () => {
  it("answers 200 with the process's own metrics and the version", async () => {
    const server = await serveMetrics("127.0.0.1:0", createRegistry("1.2.3"));
    try {
      const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
      const text = await response.text();
      expect(response.status).to.equal(200);
      expect(text)
        .to.contain("process_resident_memory_bytes")
        .and.to.contain('ray_operator_build_info{version="1.2.3"');
      expect((await fetch(`http://127.0.0.1:${server.port}/other`)).status).to.equal(404);
      expect((await fetch(`http://127.0.0.1:${server.port}/metrics`, { method: "POST" })).status).to.equal(405);
    } finally {
      await server.close();
    }
  });

  it("says in one line which address is taken", async () => {
    const server = await serveMetrics("127.0.0.1:0", new prometheus.Registry());
    const failure = await serveMetrics(`127.0.0.1:${server.port}`, new prometheus.Registry()).catch((error) => error);
    await server.close();
    expect(failure.message).to.match(/^cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  });
});
