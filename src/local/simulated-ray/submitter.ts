// Plays the container `ray-job-submitter`: submits the job that its command names, and ends when that job ends.

import type { JobStatus } from "./jobs.ts";
import { isTerminal } from "./jobs.ts";
import { type Directory, isAlive, isHead, isReady, type Pod } from "./pods.ts";
import type { SimulatedRay } from "./ray.ts";

const CONTAINER = "ray-job-submitter";

/** Writes a pod's status: the API server's, or a test's. */
export type PatchStatus = (pod: Pod, status: object) => Promise<unknown>;

/** What a submitter's command line says. */
export interface SubmitCommand {
  readonly submissionId: string;
  readonly entrypoint: string;
  /** Host name of the dashboard; undefined when it is the submitter's own pod. */
  readonly service: string | undefined;
}

/** Looks at every submitter's pod now and then; `tick` is to be called about once a second. */
export class Submitters {
  readonly #directory: Directory;
  readonly #ray: SimulatedRay;
  readonly #patch: PatchStatus;
  readonly #now: () => number;
  readonly #ended = new Set<string>();

  constructor(directory: Directory, ray: SimulatedRay, patch: PatchStatus, now: () => number = Date.now) {
    this.#directory = directory;
    this.#ray = ray;
    this.#patch = patch;
    this.#now = now;
  }

  async tick(): Promise<void> {
    for (const uid of this.#ended) if (!this.#directory.pod(uid)) this.#ended.delete(uid);
    const waiting = [...this.#directory.pods].filter((pod) => isWaiting(pod) && !this.#ended.has(pod.metadata.uid));
    await Promise.all(waiting.map((pod) => this.#look(pod)));
  }

  async #look(pod: Pod): Promise<void> {
    const command = submitCommand(pod);
    const head = command && this.#headFor(pod, command);
    // As the real one: it waits for the dashboard without end.
    if (!command || !head || !(isReady(head) || head === pod)) return;
    const jobs = this.#ray.jobsOf(head);
    const now = this.#now();
    const status = jobs.status(command.submissionId, now);
    if (status === undefined) {
      const { submissionId, entrypoint } = command;
      jobs.submit({ submission_id: submissionId, entrypoint }, now, this.#ray.jobScriptOf(head));
    } else if (isTerminal(status)) {
      this.#ended.add(pod.metadata.uid);
      await this.#patch(pod, endedStatus(pod, status, now)).catch(() => this.#ended.delete(pod.metadata.uid));
    }
  }

  #headFor(pod: Pod, { service }: SubmitCommand): Pod | undefined {
    if (isHead(pod)) return pod;
    const [name = "", namespace = pod.metadata.namespace] = service?.split(".") ?? [];
    return this.#directory.headBehind(namespace, name);
  }
}

function isWaiting(pod: Pod): boolean {
  const status = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER);
  return isAlive(pod) && status !== undefined && !status.state?.terminated && !pod.metadata.deletionTimestamp;
}

/** Reads `ray job submit --address A ... --submission-id ID ... -- ENTRYPOINT ;` out of a submitter's container. */
export function submitCommand(pod: Pod): SubmitCommand | undefined {
  const container = pod.spec.containers.find(({ name }) => name === CONTAINER);
  if (!container) return undefined;
  const script = [...(container.command ?? []), ...(container.args ?? [])].join(" ");
  const variable = (name: string) => container.env?.find((one) => one.name === name)?.value;
  const submissionId = /--submission-id[ =](\S+)/.exec(script)?.[1] ?? variable("RAY_JOB_SUBMISSION_ID");
  if (!submissionId) return undefined;
  const entrypoint = / -- (.*?) ;( fi ;|$)/s.exec(`${script.trimEnd().replace(/;?$/, " ;")}`)?.[1]?.trim();
  const address = /--address[ =](\S+)/.exec(script)?.[1] ?? variable("RAY_DASHBOARD_ADDRESS") ?? "";
  const host = address.replace(/^https?:\/\//, "").replace(/:\d+.*$/, "");
  const own = host === "" || host === "127.0.0.1" || host === "localhost";
  return { submissionId, entrypoint: entrypoint || "unknown", service: own ? undefined : host };
}

/** The pod's status once its submitter has ended: the whole pod's end, unless Ray runs beside it. */
function endedStatus(pod: Pod, status: JobStatus, now: number): object {
  const succeeded = status === "SUCCEEDED";
  const at = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  const terminated = {
    exitCode: succeeded ? 0 : 1,
    reason: succeeded ? "Completed" : "Error",
    startedAt: at,
    finishedAt: at,
  };
  const containerStatuses = pod.status?.containerStatuses?.map((one) =>
    one.name === CONTAINER ? { ...one, ready: false, started: false, state: { terminated } } : one,
  );
  const conditions = pod.status?.conditions?.map((one) =>
    one.type === "Ready" || one.type === "ContainersReady"
      ? { ...one, status: "False", reason: succeeded ? "PodCompleted" : "ContainersNotReady", lastTransitionTime: at }
      : one,
  );
  const alone = pod.spec.containers.length === 1;
  const phase = alone ? { phase: succeeded ? "Succeeded" : "Failed" } : {};
  return { containerStatuses, conditions, ...phase };
}
