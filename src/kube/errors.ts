// What can go wrong between this process and the API server, in three kinds: the server said no (`ApiError`), nobody
// knows what the server did (`ConnectionError` after the request left), or this process may not write any more.

/** `details.causes[]` of a `Status` (meta/v1): which field was refused and why. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** `details` of a `Status` (meta/v1). */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** The `Status` object that the API server answers with (meta/v1). */
export interface Status {
  readonly kind?: string;
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: StatusDetails;
}

/** The API server refused a request. `message` is the server's own text, unchanged. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status code. */
  readonly code: number;
  /** `reason` of the `Status`, such as `NotFound`; empty when the answer was not a `Status`. */
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** What the server asked to wait before the next attempt. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, status: Status, retryAfterMs?: number) {
    super(status.message || `the API server answered with status ${code}`);
    this.code = code;
    this.reason = status.reason ?? "";
    this.details = status.details;
    this.retryAfterMs = retryAfterMs ?? secondsToMs(status.details?.retryAfterSeconds);
  }
}

/** The connection failed. `sent`: the request may have reached the server, so a write may have happened. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** Node's or undici's error code, such as `ECONNRESET` or `UND_ERR_HEADERS_TIMEOUT`. */
  readonly code: string;
  readonly sent: boolean;

  constructor(cause: unknown, sent: boolean) {
    const { code, message } = describeFault(cause);
    super(message, { cause });
    this.code = code;
    this.sent = sent;
  }
}

/** A write was held back because this process is not, or no longer surely, the leader. */
export class NotLeaderError extends Error {
  override readonly name = "NotLeaderError";
}

/** Answers that grew beyond the limit. */
export class ResponseTooLargeError extends Error {
  override readonly name = "ResponseTooLargeError";
}

export const isNotFound = (error: unknown): error is ApiError => hasCode(error, 404);
/** The object has changed since it was read, or a precondition (UID) did not hold. */
export const isConflict = (error: unknown): error is ApiError =>
  hasCode(error, 409) && (error as ApiError).reason !== "AlreadyExists";
export const isAlreadyExists = (error: unknown): error is ApiError =>
  hasCode(error, 409) && (error as ApiError).reason === "AlreadyExists";
/** A resourceVersion or continue token that the server no longer knows. */
export const isExpired = (error: unknown): error is ApiError => hasCode(error, 410);
export const isAborted = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";

/**
 * Trying the same request again a little later may well succeed: the server was overloaded, starting, stopping or
 * unreachable. Everything else would be refused again.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  if (!(error instanceof ApiError)) return false;
  return error.code === 429 || error.code === 502 || error.code === 503 || error.code === 504 || isStorageFault(error);
}

/**
 * A create that failed like this may have happened all the same: the request left and no verdict came back, or the
 * server itself does not know (its storage did not answer in time).
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.sent;
  if (isAborted(error)) return true;
  if (!(error instanceof ApiError)) return false;
  return error.code === 502 || error.code === 504 || isStorageFault(error);
}

/** The text of any thrown value, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

// The API server passes etcd's "request timed out" and "leader changed" on as plain 500 answers.
function isStorageFault(error: ApiError): boolean {
  return error.code === 500 && (error.reason === "ServerTimeout" || error.message.includes("etcdserver:"));
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof ApiError && error.code === code;
}

function secondsToMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

// A connection that failed on several addresses is an AggregateError whose own message is empty.
function describeFault(cause: unknown): { code: string; message: string } {
  if (cause instanceof AggregateError && cause.errors.length > 0) return describeFault(cause.errors[0]);
  const code = (cause as { code?: unknown } | null)?.code;
  return { code: typeof code === "string" ? code : "", message: messageOf(cause) };
}
