// The API server's audit log: what somebody wrote, told by neither the operator nor its cache.
import { closeSync, openSync, readSync, statSync } from "node:fs";

/** One write: `create pods ns/name`, and what the API server answered. */
export interface Write {
  readonly verb: string;
  /** `pods`, `rayclusters/status` */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
  readonly user: string;
  /** When the API server received it, milliseconds since the epoch. */
  readonly at: number;
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number };
  readonly requestReceivedTimestamp: string;
}

/** A policy that logs all writes of the members of a group and nothing else. */
export function auditWritesOf(group: string): object {
  return {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived", "ResponseStarted"],
    rules: [
      { level: "Metadata", userGroups: [group], verbs: ["create", "update", "patch", "delete", "deletecollection"] },
      { level: "None" },
    ],
  };
}

export class AuditLog {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Where the log ends now, for `writes`. */
  mark(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** The writes after a mark, without those to events and leases, which are no writes of a reconcile. */
  writes(since = 0): Write[] {
    return this.all(since).filter(({ resource }) => resource !== "events" && resource !== "leases");
  }

  /** All writes after a mark. */
  all(since = 0): Write[] {
    return this.#textAfter(since)
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => toWrite(JSON.parse(line)));
  }

  #textAfter(since: number): string {
    const length = this.mark() - since;
    if (length <= 0) return "";
    const file = openSync(this.#path, "r");
    const buffer = Buffer.alloc(length);
    const read = readSync(file, buffer, 0, length, since);
    closeSync(file);
    return buffer.toString("utf8", 0, read);
  }
}

/** `create pods ns/name -> 201`, for messages and comparisons. */
export function describeWrite({ verb, resource, namespace, name, code }: Write): string {
  return `${verb} ${resource} ${namespace}/${name} -> ${code}`;
}

function toWrite({ verb, user, objectRef, responseStatus, requestReceivedTimestamp }: AuditEvent): Write {
  const { resource = "", subresource, namespace = "", name = "" } = objectRef ?? {};
  return {
    verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    ...{ namespace, name, code: responseStatus?.code ?? 0, user: user.username },
    at: Date.parse(requestReceivedTimestamp),
  };
}
