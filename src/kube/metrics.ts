// The metrics of the runtime under the names that KubeRay's users know from controller-runtime and client-go
// (reference: operator.md 15.3 and 15.4).
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Controller, ReconcileObserver, ReconcileResult } from "./controller.ts";
import type { QueueObserver } from "./queue.ts";
import type { RequestObserver } from "./requester.ts";

const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const SIZES = [64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216];
const QUEUE_SECONDS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];
const RECONCILE_SECONDS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25],
  ...[1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
];
const RESULTS: readonly ReconcileResult[] = ["success", "error", "requeue", "requeue_after"];

/** What one controller reports to. */
export interface ControllerMetrics {
  readonly queue: QueueObserver;
  readonly reconcile: ReconcileObserver;
  /** Reads gauges from the controller whenever metrics are scraped; the answer ends that. */
  attach(controller: Controller<never, never>): () => void;
}

/** Registers the runtime's metrics once per registry and gives the observers that feed them. */
export class RuntimeMetrics {
  readonly client: RequestObserver;
  readonly #registry: Registry;
  readonly #leader: Gauge<"name">;
  readonly #queue: ReturnType<typeof queueMetrics>;
  readonly #reconcile: ReturnType<typeof reconcileMetrics>;
  readonly #controllers = new Set<Controller<never, never>>();

  constructor(registry: Registry) {
    this.#registry = registry;
    this.client = clientMetrics(registry);
    this.#leader = new Gauge({
      name: "leader_election_master_status",
      help: "1 while this process is the leader, 0 while it is a backup.",
      labelNames: ["name"],
      registers: [registry],
    });
    this.#queue = queueMetrics(registry, () => this.#controllers);
    this.#reconcile = reconcileMetrics(registry, () => this.#controllers);
  }

  leading(name: string, leads: boolean): void {
    this.#leader.set({ name }, leads ? 1 : 0);
  }

  /** The metrics of one controller, with all series at 0. */
  controller(controller: string, concurrency: number): ControllerMetrics {
    const labels = { name: controller, controller };
    const { adds, retries, waited, worked } = this.#queue;
    const { total, errors, panics, time, concurrent } = this.#reconcile;
    for (const counter of [adds, retries]) counter.inc(labels, 0);
    for (const result of RESULTS) total.inc({ controller, result }, 0);
    for (const counter of [errors, panics]) counter.inc({ controller }, 0);
    concurrent.set({ controller }, concurrency);
    return {
      queue: {
        added: () => adds.inc(labels),
        retried: () => retries.inc(labels),
        taken: (seconds) => waited.observe(labels, seconds),
        done: (seconds) => worked.observe(labels, seconds),
      },
      reconcile: {
        ended: (result, seconds) => {
          total.inc({ controller, result });
          if (result === "error") errors.inc({ controller });
          time.observe({ controller }, seconds);
        },
        panicked: () => panics.inc({ controller }),
      },
      attach: (attached) => {
        this.#controllers.add(attached);
        return () => this.#controllers.delete(attached);
      },
    };
  }

  get registry(): Registry {
    return this.#registry;
  }
}

function clientMetrics(registry: Registry): RequestObserver {
  const registers = [registry];
  const byVerb = ["verb", "host"] as const;
  const seconds = new Histogram({
    ...{ name: "rest_client_request_duration_seconds", help: "Time until the answer, by verb and host." },
    ...{ labelNames: byVerb, buckets: REQUEST_SECONDS, registers },
  });
  const throttled = new Histogram({
    ...{ name: "rest_client_rate_limiter_duration_seconds", help: "Time waited for the client-side rate limit." },
    ...{ labelNames: byVerb, buckets: REQUEST_SECONDS, registers },
  });
  const requestBytes = new Histogram({
    ...{ name: "rest_client_request_size_bytes", help: "Size of requests, by verb and host." },
    ...{ labelNames: byVerb, buckets: SIZES, registers },
  });
  const responseBytes = new Histogram({
    ...{ name: "rest_client_response_size_bytes", help: "Size of answers, by verb and host." },
    ...{ labelNames: byVerb, buckets: SIZES, registers },
  });
  const retries = new Counter({
    ...{ name: "rest_client_request_retries_total", help: "Requests tried again, by status code, verb and host." },
    ...{ labelNames: ["code", "verb", "host"] as const, registers },
  });
  const requests = new Counter({
    ...{ name: "rest_client_requests_total", help: "Requests, by status code, method and host." },
    ...{ labelNames: ["code", "method", "host"] as const, registers },
  });
  return {
    request: (record) => {
      // Like client-go, which labels these with the HTTP method.
      const labels = { verb: record.method, host: record.host };
      requests.inc({ code: record.code, method: record.method, host: record.host });
      seconds.observe(labels, record.seconds);
      requestBytes.observe(labels, record.requestBytes);
      responseBytes.observe(labels, record.responseBytes);
    },
    retry: (verb, host, code) => retries.inc({ code, verb, host }),
    throttled: (verb, host, waited) => throttled.observe({ verb, host }, waited),
  };
}

type Controllers = () => Iterable<Controller<never, never>>;

function queueMetrics(registry: Registry, controllers: Controllers) {
  const registers = [registry];
  const labelNames = ["name", "controller"] as const;
  const labels = ({ name }: Controller<never, never>) => ({ name, controller: name });
  new Gauge({
    ...{ name: "workqueue_depth", help: "Keys that wait to be worked on.", registers },
    labelNames: ["name", "controller", "priority"] as const,
    collect() {
      this.reset();
      for (const controller of controllers()) {
        const depths = controller.queue.depths();
        for (const priority of new Set([0, ...depths.keys()])) {
          this.set({ ...labels(controller), priority: String(priority) }, depths.get(priority) ?? 0);
        }
      }
    },
  });
  new Gauge({
    ...{ name: "workqueue_unfinished_work_seconds", help: "Sum of the time of all work in progress.", registers },
    labelNames,
    collect() {
      for (const controller of controllers()) {
        const seconds = controller.queue.workingSeconds();
        this.set(
          labels(controller),
          seconds.reduce((sum, value) => sum + value, 0),
        );
      }
    },
  });
  new Gauge({
    ...{ name: "workqueue_longest_running_processor_seconds", help: "Longest work in progress.", registers },
    labelNames,
    collect() {
      for (const controller of controllers()) {
        this.set(labels(controller), Math.max(0, ...controller.queue.workingSeconds()));
      }
    },
  });
  return {
    adds: new Counter({ name: "workqueue_adds_total", help: "Keys added.", labelNames, registers }),
    retries: new Counter({
      name: "workqueue_retries_total",
      help: "Keys put back after a failure.",
      labelNames,
      registers,
    }),
    waited: new Histogram({
      ...{ name: "workqueue_queue_duration_seconds", help: "Time a key waits before it is worked on." },
      ...{ labelNames, buckets: QUEUE_SECONDS, registers },
    }),
    worked: new Histogram({
      ...{ name: "workqueue_work_duration_seconds", help: "Time the work on a key takes." },
      ...{ labelNames, buckets: QUEUE_SECONDS, registers },
    }),
  };
}

function reconcileMetrics(registry: Registry, controllers: Controllers) {
  const registers = [registry];
  const labelNames = ["controller"] as const;
  new Gauge({
    ...{ name: "controller_runtime_active_workers", help: "Keys that are worked on now.", labelNames, registers },
    collect() {
      for (const controller of controllers()) this.set({ controller: controller.name }, controller.active);
    },
  });
  for (const name of ["terminal_reconcile_errors", "reconcile_timeouts"]) {
    // Nothing here is terminal or timed out; boards that show the sum of all errors find a 0.
    new Counter({ name: `controller_runtime_${name}_total`, help: "Always 0.", labelNames, registers });
  }
  return {
    total: new Counter({
      ...{ name: "controller_runtime_reconcile_total", help: "Reconciles, by controller and result." },
      ...{ labelNames: ["controller", "result"] as const, registers },
    }),
    errors: new Counter({
      ...{ name: "controller_runtime_reconcile_errors_total", help: "Reconciles that failed.", labelNames, registers },
    }),
    panics: new Counter({
      ...{ name: "controller_runtime_reconcile_panics_total", help: "Reconciles that threw.", labelNames, registers },
    }),
    time: new Histogram({
      ...{ name: "controller_runtime_reconcile_time_seconds", help: "Time of a reconcile." },
      ...{ labelNames, buckets: RECONCILE_SECONDS, registers },
    }),
    concurrent: new Gauge({
      ...{ name: "controller_runtime_max_concurrent_reconciles", help: "Keys worked on at once at most." },
      ...{ labelNames, registers },
    }),
  };
}
