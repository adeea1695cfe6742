// The jobs of one simulated Ray cluster. A job's state is a function of its age, so nothing has to tick.

import { duration, parseScript, type Script, scriptInText } from "./script.ts";

/** `ray.job_submission.JobStatus` */
export type JobStatus = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "STOPPED";

/** The body of `POST /api/jobs/` as far as it matters here (Ray Jobs REST API). */
export interface JobSubmission {
  readonly entrypoint?: string;
  readonly submission_id?: string;
  readonly job_id?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly runtime_env?: { readonly env_vars?: Readonly<Record<string, string>> };
}

/** A call that Ray answers with an error. */
export class RayError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Job {
  readonly id: string;
  readonly number: number;
  readonly submission: JobSubmission;
  readonly submittedAt: number;
  readonly pendingMs: number;
  readonly runningMs: number;
  readonly outcome: "SUCCEEDED" | "FAILED";
  stoppedAt?: number;
}

const messages: Readonly<Record<JobStatus, string>> = {
  PENDING: "Job has not started yet. It may be waiting for the runtime environment to be set up.",
  RUNNING: "Job is currently running.",
  SUCCEEDED: "Job finished successfully.",
  FAILED:
    "Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 chars):\nsimulated failure",
  STOPPED: "Job was intentionally stopped.",
};

/**
 * A cluster's table of jobs. All times are milliseconds since 1970, given by the caller.
 *
 * A job is PENDING for 1 s, RUNNING for 2 s and then SUCCEEDED. The words of a script change that: `fail`, `forever`
 * (stays RUNNING), `stuck` (stays PENDING), `pending=5s`, `running=10s`. It is looked for in the metadata `simulate`,
 * the environment variable `SIMULATE` of the runtime environment, behind `simulate:` in the entrypoint, and in what
 * the cluster itself says.
 */
export class Jobs {
  readonly #jobs = new Map<string, Job>();
  #submitted = 0;

  /** Takes a job and returns its id. Throws 400 without an entrypoint, and 500, as Ray does, for an id that exists. */
  submit(submission: JobSubmission, now: number, clusterScript = ""): string {
    if (!submission.entrypoint) throw new RayError(400, "TypeError: missing required argument: 'entrypoint'");
    const id = submission.submission_id ?? submission.job_id ?? `raysubmit_${randomId()}`;
    if (this.#jobs.has(id)) {
      throw new RayError(
        500,
        `ValueError: Job with submission_id ${id} already exists. Please use a different submission_id.`,
      );
    }
    const script = scriptOf(submission, clusterScript);
    this.#submitted += 1;
    this.#jobs.set(id, {
      id,
      number: this.#submitted,
      submission,
      submittedAt: now,
      pendingMs: script.has("stuck") ? Number.POSITIVE_INFINITY : duration(script.get("pending"), 1_000),
      runningMs: script.has("forever") ? Number.POSITIVE_INFINITY : duration(script.get("running"), 2_000),
      outcome: script.has("fail") ? "FAILED" : "SUCCEEDED",
    });
    return id;
  }

  /** The state of a job, or undefined when there is none of that id. */
  status(id: string, now: number): JobStatus | undefined {
    const job = this.#jobs.get(id);
    return job && statusAt(job, now);
  }

  /** All jobs, newest first, as Ray's `JobDetails`. */
  list(now: number): object[] {
    return [...this.#jobs.values()].reverse().map((job) => details(job, now));
  }

  details(id: string, now: number): object {
    return details(this.#find(id), now);
  }

  /** Ends a job that has not ended; says whether there was something to end. */
  stop(id: string, now: number): boolean {
    const job = this.#find(id);
    if (isTerminal(statusAt(job, now))) return false;
    job.stoppedAt = now;
    return true;
  }

  /** Forgets a job. Throws 500, as Ray does, when it has not ended. */
  delete(id: string, now: number): void {
    const status = statusAt(this.#find(id), now);
    if (!isTerminal(status)) {
      throw new RayError(
        500,
        `RuntimeError: Attempted to delete job '${id}', but it is in a non-terminal state ${status}.`,
      );
    }
    this.#jobs.delete(id);
  }

  logs(id: string, now: number): string {
    const job = this.#find(id);
    const status = statusAt(job, now);
    if (status === "PENDING") return "";
    const end = status === "RUNNING" ? "" : `simulated end: ${status}\n`;
    return `simulated run of: ${job.submission.entrypoint}\n${end}`;
  }

  #find(id: string): Job {
    const job = this.#jobs.get(id);
    if (!job) throw new RayError(404, `Job ${id} does not exist`);
    return job;
  }
}

export function isTerminal(status: JobStatus): boolean {
  return status === "SUCCEEDED" || status === "FAILED" || status === "STOPPED";
}

function scriptOf(submission: JobSubmission, clusterScript: string): Script {
  const own = submission.metadata?.simulate ?? submission.runtime_env?.env_vars?.SIMULATE;
  if (own) return parseScript(own);
  const inText = scriptInText(submission.entrypoint ?? "");
  return inText.size > 0 ? inText : parseScript(clusterScript);
}

function statusAt(job: Job, now: number): JobStatus {
  // A job that is stopped counts from then on, whatever would have become of it.
  if (job.stoppedAt !== undefined && now >= job.stoppedAt) return "STOPPED";
  const age = now - job.submittedAt;
  if (age < job.pendingMs) return "PENDING";
  return age < job.pendingMs + job.runningMs ? "RUNNING" : job.outcome;
}

function details(job: Job, now: number): object {
  const status = statusAt(job, now);
  const ended = isTerminal(status);
  const end = job.stoppedAt ?? job.submittedAt + job.pendingMs + job.runningMs;
  const jobId = `${job.number.toString(16).padStart(2, "0")}000000`;
  return {
    type: "SUBMISSION",
    job_id: status === "PENDING" ? null : jobId,
    submission_id: job.id,
    driver_info: null,
    status,
    entrypoint: job.submission.entrypoint,
    message: messages[status],
    error_type: status === "FAILED" ? "JOB_ENTRYPOINT_COMMAND_ERROR" : null,
    start_time: job.submittedAt,
    end_time: ended ? end : null,
    metadata: job.submission.metadata ?? {},
    runtime_env: job.submission.runtime_env ?? {},
    driver_agent_http_address: null,
    driver_node_id: null,
    driver_exit_code: ended ? (status === "SUCCEEDED" ? 0 : 1) : null,
  };
}

/** As Ray makes them: 16 letters and digits. */
function randomId(): string {
  const letters = "ABCDEFGHIJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  return Array.from({ length: 16 }, () => letters[Math.floor(Math.random() * letters.length)]).join("");
}
