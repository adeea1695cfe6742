// What the cluster offers beside Kubernetes itself, found out once at the start (operator.md section 1, 12 and 16).
import { API_GROUP } from "../../api/v1/labels.ts";
import type { Settings } from "../../controllers/shared/settings.ts";
import type { Client } from "../kube/client.ts";
import { ApiError, ConnectionError } from "../kube/errors.ts";
import { UserError } from "./errors.ts";

interface ApiGroupList {
  readonly groups?: readonly { readonly name: string; readonly versions?: readonly { readonly version: string }[] }[];
}

/** Groups by name, not by suffix: a stray CRD of some `.openshift.io` group does not make a cluster OpenShift. */
const openShiftGroups = ["route.openshift.io", "security.openshift.io", "config.openshift.io"];

/** What the groups of an API server say. */
export interface Capabilities extends Pick<Settings, "openShift" | "certManager"> {
  /** The group ray.io is served: at least one of its CustomResourceDefinitions is installed. */
  readonly ray: boolean;
}

/** Asks the API server which groups it serves. Throws `UserError` when it cannot be asked. */
export async function findCapabilities(client: Client): Promise<Capabilities> {
  try {
    const answer = await client.raw({ method: "GET", path: "/apis", timeoutMs: 10_000 });
    return capabilitiesOf(JSON.parse(answer.body.toString()));
  } catch (error) {
    if (error instanceof ApiError || error instanceof ConnectionError) {
      throw new UserError(`cannot reach the API server ${client.connection.server}: ${error.message}`);
    }
    throw error;
  }
}

/** Reads the answer of `/apis`. */
export function capabilitiesOf({ groups = [] }: ApiGroupList): Capabilities {
  const served = new Map(groups.map(({ name, versions = [] }) => [name, versions.map(({ version }) => version)]));
  return {
    ray: served.has(API_GROUP),
    openShift: openShiftGroups.some((group) => served.has(group)),
    certManager: served.get("cert-manager.io")?.includes("v1") ?? false,
  };
}
