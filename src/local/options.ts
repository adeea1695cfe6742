// What can be chosen about a local cluster.

import type { Progress } from "./progress.ts";

/** Which cluster to start. Everything has a default. */
export interface LocalClusterOptions {
  /**
   * `none`: no nodes, pods stay Pending; `simulated` (the default): kwok nodes and simulated Ray; `real`: the control
   * plane of a real node, which `startRealNode` (src/local/real) or `startInstance` then adds.
   */
  readonly nodes?: "none" | "simulated" | "real";
  /** Instances with different names run side by side; `default` unless told. */
  readonly name?: string;
  /** Where the instance keeps its data; by default under the cache, by name. */
  readonly stateDir?: string;
  /** Throw away the data of an earlier run instead of going on with it. */
  readonly fresh?: boolean;
  /** How many simulated nodes, 20 unless told. */
  readonly simulatedNodes?: number;
  /** Without it nothing creates service accounts, so that pods cannot be created; Jobs and endpoints stand still. */
  readonly controllerManager?: boolean;
  readonly scheduler?: boolean;
  /** More flags, as `--flag=value`; a later one wins. */
  readonly apiServerFlags?: readonly string[];
  readonly controllerManagerFlags?: readonly string[];
  readonly schedulerFlags?: readonly string[];
  /** An `audit.k8s.io/v1` Policy object: the API server then writes `auditLog`. */
  readonly auditPolicy?: object;
  readonly progress?: Progress;
  /** Gives up the start when it is aborted. */
  readonly signal?: AbortSignal;
}
