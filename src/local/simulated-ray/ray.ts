// What simulated Ray answers: the HTTP APIs of dashboard, agent, Serve proxy and metrics, by pod and path.

import { type JobSubmission, Jobs, RayError } from "./jobs.ts";
import { type Destination, type Directory, isHead, type Pod, rayContainer } from "./pods.ts";
import { type ProxyNode, Serve, type ServeConfig } from "./serve.ts";

/** A request that has reached a pod. */
export interface RayRequest {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** An answer; a body that is no string is sent as JSON. */
export interface RayAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly contentType?: string;
}

/** What the processes of one Ray cluster know. It is lost with the head, unless GCS is fault tolerant. */
interface RayState {
  readonly jobs: Jobs;
  readonly serve: Serve;
}

/** The annotation on a head pod by which its dashboard fails: `refuse`, `hang`, or `error` (status 500). */
export const DASHBOARD_SCRIPT = "simulate/dashboard";
/** Annotations on a head pod: the script of jobs and of applications that have none of their own. */
const JOB_SCRIPT = "simulate/job";
const SERVE_SCRIPT = "simulate/serve";

const text = (status: number, body: string): RayAnswer => ({ status, body, contentType: "text/plain; charset=utf-8" });
const json = (body: unknown): RayAnswer => ({ status: 200, body });
const notFound = text(404, "404: Not Found");

/** All simulated Ray clusters. */
export class SimulatedRay {
  readonly #directory: Directory;
  readonly #states = new Map<string, RayState>();
  readonly #now: () => number;
  #gone = new Set<string>();

  constructor(directory: Directory, now: () => number = Date.now) {
    this.#directory = directory;
    this.#now = now;
  }

  /** Whether a connection is accepted there at all. */
  accepts({ pod, role }: Destination): boolean {
    if (pod.metadata.annotations?.[DASHBOARD_SCRIPT] === "refuse" && role === "dashboard") return false;
    return role !== "serve" || this.#stateOf(pod).serve.started;
  }

  /** Whether a request is left without an answer. */
  hangs({ pod, role }: Destination): boolean {
    return role === "dashboard" && pod.metadata.annotations?.[DASHBOARD_SCRIPT] === "hang";
  }

  /** The answer to a request. */
  answer(destination: Destination, request: RayRequest): RayAnswer {
    try {
      return this.#route(destination, request);
    } catch (error) {
      if (error instanceof RayError) return text(error.status, error.message);
      throw error;
    }
  }

  /** The jobs of the cluster that this pod belongs to. */
  jobsOf(pod: Pod): Jobs {
    return this.#stateOf(pod).jobs;
  }

  /** What the head's annotation says about jobs that say nothing themselves. */
  jobScriptOf(pod: Pod): string {
    return this.#head(pod).metadata.annotations?.[JOB_SCRIPT] ?? "";
  }

  /** Forgets clusters of which no pod was left at this call and the one before: a restarted watch has a gap. */
  forget(): void {
    const known = new Set([...this.#directory.pods].map(stateKey));
    const gone = [...this.#states.keys()].filter((key) => !known.has(key));
    for (const key of gone) if (this.#gone.has(key)) this.#states.delete(key);
    this.#gone = new Set(gone);
  }

  #route({ pod, role }: Destination, request: RayRequest): RayAnswer {
    const path = request.url.split("?")[0] ?? "/";
    if (role === "serve") return this.#serveTraffic(pod, path);
    if (role === "metrics") return text(200, this.#metrics(pod));
    // Health is asked of dashboard and agent alike, and without a token.
    if (/^\/api\/(local_raylet_|gcs_)?healthz$/.test(path)) return text(200, "success");
    if (role !== "dashboard") return notFound;
    if (pod.metadata.annotations?.[DASHBOARD_SCRIPT] === "error") return text(500, "simulated failure");
    if (lacksToken(pod, request)) return text(401, "Unauthorized: Missing authentication token");
    return this.#dashboard(pod, path, request);
  }

  #dashboard(pod: Pod, path: string, request: RayRequest): RayAnswer {
    if (path.startsWith("/api/jobs/")) return this.#jobs(pod, path, request);
    if (path === "/api/serve/applications/") return this.#serve(pod, request);
    if (request.method !== "GET") return notFound;
    switch (path) {
      case "/":
        return { status: 200, contentType: "text/html; charset=utf-8", body: this.#page(pod) };
      case "/api/version":
        return json({
          version: "4",
          ray_version: rayVersion(pod),
          ray_commit: "simulated",
          session_name: session(pod),
        });
      case "/api/cluster_status":
        return json(this.#clusterStatus(pod));
      case "/api/component_activities":
        return json(this.#activities(pod));
      case "/nodes":
        return json({ result: true, msg: "Node summary fetched.", data: { summary: this.#nodes(pod).map(summary) } });
      case "/api/v0/nodes": {
        const nodes = this.#nodes(pod).map(node);
        return json({
          result: true,
          msg: "",
          data: { result: { total: nodes.length, num_filtered: nodes.length, result: nodes } },
        });
      }
      default:
        return notFound;
    }
  }

  #jobs(pod: Pod, path: string, { method, body }: RayRequest): RayAnswer {
    const now = this.#now();
    const jobs = this.jobsOf(pod);
    const [id = "", action = ""] = path.slice("/api/jobs/".length).split("/").map(decodeURIComponent);
    switch (`${method} ${id && "ID"}${action && `/${action}`}`) {
      case "GET ":
        return json(jobs.list(now));
      case "POST ": {
        const submitted = jobs.submit(parse<JobSubmission>(body), now, this.jobScriptOf(pod));
        return json({ job_id: submitted, submission_id: submitted });
      }
      case "GET ID":
        return json(jobs.details(id, now));
      case "DELETE ID":
        jobs.delete(id, now);
        return json({ deleted: true });
      case "POST ID/stop":
        return json({ stopped: jobs.stop(id, now) });
      case "GET ID/logs":
        return json({ logs: jobs.logs(id, now) });
      default:
        return notFound;
    }
  }

  #serve(pod: Pod, { method, body }: RayRequest): RayAnswer {
    const { serve } = this.#stateOf(pod);
    const script = this.#head(pod).metadata.annotations?.[SERVE_SCRIPT] ?? "";
    switch (method) {
      case "GET":
        return json(serve.details(this.#now(), this.#proxyNodes(pod)));
      case "PUT":
        serve.put(parse<ServeConfig>(body), this.#now(), script);
        return text(200, "");
      case "DELETE":
        serve.shutDown();
        return text(200, "");
      default:
        return text(405, "405: Method Not Allowed");
    }
  }

  /** The port that users of the applications call. */
  #serveTraffic(pod: Pod, path: string): RayAnswer {
    const { serve } = this.#stateOf(pod);
    if (path === "/-/healthz") return text(200, "success");
    if (path === "/-/routes") return json(serve.routes());
    const application = serve.route(path, this.#now());
    if (application !== undefined) return json({ simulated: true, application, path, pod: pod.metadata.name });
    return text(404, `Path '${path}' not found. Ping http://.../-/routes for available routes.`);
  }

  #stateOf(pod: Pod): RayState {
    const key = stateKey(this.#head(pod));
    let state = this.#states.get(key);
    if (!state) {
      state = { jobs: new Jobs(), serve: new Serve() };
      this.#states.set(key, state);
    }
    return state;
  }

  #head(pod: Pod): Pod {
    return isHead(pod) ? pod : (this.#directory.clusterOf(pod).find(isHead) ?? pod);
  }

  #nodes(pod: Pod): Pod[] {
    return this.#directory.clusterOf(pod);
  }

  #proxyNodes(pod: Pod): ProxyNode[] {
    return this.#nodes(pod).map((one) => ({ id: nodeId(one), address: one.status?.podIP ?? "" }));
  }

  #clusterStatus(pod: Pod): object {
    const nodes = this.#nodes(pod);
    const usage = { CPU: [0, nodes.length], memory: [0, nodes.length * 2 ** 30] };
    const loadMetricsReport = { usage, resourceDemand: [], pgDemand: [], requestDemand: [], nodeTypes: [] };
    return {
      result: true,
      msg: "Got cluster status.",
      data: { autoscalingStatus: null, autoscalingError: null, clusterStatus: { loadMetricsReport } },
    };
  }

  #activities(pod: Pod): object {
    const now = this.#now();
    const active = this.jobsOf(pod)
      .list(now)
      .filter((job) => (job as { end_time: number | null }).end_time === null).length;
    return {
      driver: {
        is_active: active > 0 ? "ACTIVE" : "INACTIVE",
        reason: active > 0 ? `Number of active drivers: ${active}` : null,
        timestamp: now / 1000,
        last_activity_at: null,
      },
    };
  }

  #metrics(pod: Pod): string {
    const labels = `SessionName="${session(pod)}",NodeAddress="${pod.status?.podIP}",Version="${rayVersion(pod)}"`;
    return `# HELP ray_node_cpu_count Total CPUs available on a ray node\n# TYPE ray_node_cpu_count gauge\nray_node_cpu_count{${labels}} 1\n`;
  }

  #page(pod: Pod): string {
    const rows = this.#nodes(pod).map((one) => `<li>${one.metadata.name} ${one.status?.podIP}</li>`);
    const jobs = this.jobsOf(pod)
      .list(this.#now())
      .map((job) => `<li><pre>${escaped(JSON.stringify(job))}</pre></li>`);
    const title = `Simulated Ray: ${pod.metadata.namespace}/${pod.metadata.labels?.["ray.io/cluster"] ?? pod.metadata.name}`;
    return `<!doctype html><title>${title}</title><h1>${title}</h1><h2>Nodes</h2><ul>${rows.join("")}</ul><h2>Jobs</h2><ul>${jobs.join("")}</ul>`;
  }
}

/** One state a head, or one a cluster when its GCS survives the head. */
function stateKey(head: Pod): string {
  const { namespace, uid, labels, annotations } = head.metadata;
  const survives = annotations?.["ray.io/ft-enabled"] === "true";
  return survives ? `${namespace}/${labels?.["ray.io/cluster"]}` : uid;
}

function lacksToken(pod: Pod, { headers }: RayRequest): boolean {
  const wanted = rayContainer(pod)?.env?.some(({ name, value }) => name === "RAY_AUTH_MODE" && value === "token");
  const given = headers["x-ray-authorization"] ?? headers.authorization;
  return wanted === true && !/^Bearer \S/.test(String(given ?? ""));
}

function parse<T>(body: string): T {
  try {
    return JSON.parse(body) as T;
  } catch {
    throw new RayError(400, "the body is not JSON");
  }
}

/** What the image's tag says: `rayproject/ray:2.52.0-py311-gpu` is 2.52.0. */
function rayVersion(pod: Pod): string {
  return /:(\d+\.\d+\.\d+)/.exec(rayContainer(pod)?.image ?? "")?.[1] ?? "2.52.0";
}

function session(pod: Pod): string {
  return `session_${pod.metadata.uid}`;
}

/** 56 hexadecimal digits, as Ray's. */
function nodeId(pod: Pod): string {
  return pod.metadata.uid.replaceAll("-", "").padEnd(56, "0");
}

function summary(pod: Pod): object {
  const raylet = {
    nodeId: nodeId(pod),
    state: "ALIVE",
    isHeadNode: isHead(pod),
    nodeManagerAddress: pod.status?.podIP,
  };
  return { hostname: pod.metadata.name, ip: pod.status?.podIP, raylet };
}

function node(pod: Pod): object {
  return {
    node_id: nodeId(pod),
    node_ip: pod.status?.podIP,
    node_name: pod.status?.podIP,
    is_head_node: isHead(pod),
    state: "ALIVE",
    labels: {},
  };
}

function escaped(html: string): string {
  return html.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
