// `controller_runtime_*`, `workqueue_*` and `leader_election_*`: the names that dashboards for controllers know
// (operator.md section 15.4).
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ReconcileObserver } from "../kube/controller.ts";
import type { QueueObserver } from "../kube/queue.ts";

/** What one controller reports to. */
export interface ControllerObservers {
  readonly reconciles: ReconcileObserver;
  readonly queue: QueueObserver;
}

export interface ControllerMetrics {
  /**
   * Observers of one controller. Its series exist with value 0 from here on, so that a dashboard shows it before its
   * first reconcile. `depths` gives the keys that wait, by priority.
   */
  controller(name: string, maxConcurrent: number, depths: () => ReadonlyMap<number, number>): ControllerObservers;
  /** Whether this process holds the lease now. */
  leading(lease: string, leads: boolean): void;
}

const reconcileSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const queueSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** Registers the metrics of all controllers. */
export function controllerMetrics(registry: Registry): ControllerMetrics {
  const reconciles = reconcileMetrics(registry);
  const queues = queueMetrics(registry);
  const leader = new Gauge({
    name: "leader_election_master_status",
    help: "1 while this process holds the lease, else 0.",
    ...{ labelNames: ["name"] as const, registers: [registry] },
  });
  return {
    controller: (name, maxConcurrent, depths) => {
      const running = new RunningWork();
      queues.watch(name, depths, running);
      return { reconciles: reconciles(name, maxConcurrent, running), queue: queues.observer(name) };
    },
    leading: (lease, leads) => leader.set({ name: lease }, leads ? 1 : 0),
  };
}

function reconcileMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ["controller"] as const;
  const counter = (name: string, help: string) =>
    new Counter({ name: `controller_runtime_${name}`, help, ...{ labelNames, registers } });
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `controller_runtime_${name}`, help, ...{ labelNames, registers } });
  const total = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Reconciles by how they ended.",
    ...{ labelNames: ["controller", "result"] as const, registers },
  });
  const errors = counter("reconcile_errors_total", "Reconciles that failed and are tried again.");
  const panics = counter("reconcile_panics_total", "Reconciles that ended with an exception: each is a bug.");
  const time = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "Duration of a reconcile.",
    ...{ labelNames, registers, buckets: reconcileSeconds },
  });
  const concurrency = gauge("max_concurrent_reconciles", "Objects that may be in work at once.");
  const active = gauge("active_workers", "Objects that are in work now.");
  return (controller: string, maxConcurrent: number, running: RunningWork): ReconcileObserver => {
    for (const result of ["success", "error", "requeue", "requeue_after"]) total.inc({ controller, result }, 0);
    for (const metric of [errors, panics]) metric.inc({ controller }, 0);
    time.zero({ controller });
    concurrency.set({ controller }, maxConcurrent);
    active.set({ controller }, 0);
    return {
      started: () => {
        running.started();
        active.inc({ controller });
      },
      ended: (result, seconds) => {
        running.ended(seconds);
        active.dec({ controller });
        total.inc({ controller, result });
        time.observe({ controller }, seconds);
        if (result === "error") errors.inc({ controller });
      },
      panicked: () => panics.inc({ controller }),
    };
  };
}

interface WatchedQueue {
  readonly depths: () => ReadonlyMap<number, number>;
  readonly running: RunningWork;
}

function queueMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ["name", "controller"] as const;
  const watched = new Map<string, WatchedQueue>();
  new Gauge({
    name: "workqueue_depth",
    help: "Keys that wait to be taken, by priority.",
    ...{ labelNames: [...labelNames, "priority"], registers },
    collect() {
      this.reset();
      for (const [name, { depths }] of watched) {
        const labels = { name, controller: name };
        for (const [priority, depth] of new Map([[0, 0], ...depths()])) this.set({ ...labels, priority }, depth);
      }
    },
  });
  const age = (metric: string, help: string, of: (running: RunningWork) => number) =>
    new Gauge({
      name: `workqueue_${metric}`,
      help,
      ...{ labelNames, registers },
      collect() {
        for (const [name, { running }] of watched) this.set({ name, controller: name }, of(running));
      },
    });
  age("unfinished_work_seconds", "Seconds of work in progress, added up.", (running) => running.seconds());
  age("longest_running_processor_seconds", "Seconds that the oldest work in progress takes.", (running) =>
    running.longest(),
  );
  const adds = new Counter({ name: "workqueue_adds_total", help: "Keys that were added.", labelNames, registers });
  const retries = new Counter({
    name: "workqueue_retries_total",
    help: "Keys that are tried again.",
    labelNames,
    registers,
  });
  const histogram = (name: string, help: string) =>
    new Histogram({ name, help, labelNames, registers, buckets: queueSeconds });
  const waited = histogram("workqueue_queue_duration_seconds", "Seconds from adding a key to taking it.");
  const worked = histogram("workqueue_work_duration_seconds", "Seconds from taking a key to being done with it.");
  return {
    watch: (name: string, depths: WatchedQueue["depths"], running: RunningWork) =>
      watched.set(name, { depths, running }),
    observer: (name: string): QueueObserver => {
      const labels = { name, controller: name };
      for (const metric of [adds, retries]) metric.inc(labels, 0);
      for (const metric of [waited, worked]) metric.zero(labels);
      return {
        added: () => adds.inc(labels),
        retried: () => retries.inc(labels),
        taken: (seconds) => waited.observe(labels, seconds),
        done: (seconds) => worked.observe(labels, seconds),
      };
    },
  };
}

/** When the work that is in progress began. */
class RunningWork {
  readonly #starts: number[] = [];

  started(): void {
    this.#starts.push(performance.now());
  }

  /** Work ends under no name, only with its duration: the start nearest to what that says is taken off. */
  ended(seconds: number): void {
    const start = performance.now() - seconds * 1000;
    const distances = this.#starts.map((candidate) => Math.abs(candidate - start));
    const index = distances.indexOf(Math.min(...distances));
    if (index >= 0) this.#starts.splice(index, 1);
  }

  seconds(): number {
    const now = performance.now();
    return this.#starts.reduce((sum, start) => sum + (now - start) / 1000, 0);
  }

  longest(): number {
    return this.#starts.length === 0 ? 0 : (performance.now() - Math.min(...this.#starts)) / 1000;
  }
}
