// The ceiling of the scale benchmark: posts the pods of every RayCluster, 32 at a time, and one status patch a cluster.
// It watches nothing and makes no services, so no operator reaches it. Run it in the operator's place:
//   scale.py --operator 'node test/bench/raw-loader.ts --kubeconfig {kubeconfig}' ...
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { parse } from "yaml";

const PARALLEL = 32;
const POLL_MS = 100;

interface Cluster {
  metadata: { name: string; uid: string };
  spec: { headGroupSpec: { template: object }; workerGroupSpecs: { replicas: number; template: object }[] };
  status?: { state?: string };
}

const { values } = parseArgs({ options: { kubeconfig: { type: "string" } }, strict: false });
const kubeconfig = parse(readFileSync(String(values.kubeconfig), "utf8"));
const { server, "certificate-authority": ca } = kubeconfig.clusters[0].cluster;
const { "client-certificate": cert, "client-key": key } = kubeconfig.users[0].user;
const pool = new Pool(server, {
  connections: PARALLEL + 4,
  connect: { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) },
});

async function call(method: "GET" | "POST" | "PATCH", path: string, body?: object): Promise<string> {
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const headers = { "content-type": type };
  const answer = await pool.request({ method, path, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 200)}`);
  return text;
}

const jobs: (() => Promise<void>)[] = [];
let running = 0;

/** Keeps `PARALLEL` requests under way, first come first served. */
function pump(): void {
  while (running < PARALLEL) {
    const job = jobs.shift();
    if (!job) return;
    running++;
    void job().finally(() => {
      running--;
      pump();
    });
  }
}

function load(cluster: Cluster): void {
  const { name } = cluster.metadata;
  const [group] = cluster.spec.workerGroupSpecs;
  const total = (group?.replicas ?? 0) + 1;
  let left = total;
  for (let i = 0; i < total; i++) {
    const template = i === 0 ? cluster.spec.headGroupSpec.template : (group?.template ?? {});
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `${name}-${i}`, labels: { "ray.io/cluster": name }, ownerReferences: [ownerOf(cluster)] },
      ...template,
    };
    jobs.push(async () => {
      await call("POST", "/api/v1/namespaces/default/pods", pod);
      if (--left === 0) jobs.unshift(() => ready(name));
    });
  }
  pump();
}

async function ready(name: string): Promise<void> {
  await call("PATCH", `/apis/ray.io/v1/namespaces/default/rayclusters/${name}/status`, { status: { state: "ready" } });
}

function ownerOf({ metadata }: Cluster): object {
  return { apiVersion: "ray.io/v1", kind: "RayCluster", name: metadata.name, uid: metadata.uid, controller: true };
}

const seen = new Set<string>();
process.on("SIGTERM", () => process.exit(0));
for (;;) {
  const list = JSON.parse(await call("GET", "/apis/ray.io/v1/rayclusters?resourceVersion=0")) as { items: Cluster[] };
  for (const cluster of list.items) {
    if (seen.has(cluster.metadata.uid)) continue;
    seen.add(cluster.metadata.uid);
    if (cluster.status?.state !== "ready") load(cluster);
  }
  await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
