// The Secret with a cluster's authentication token (objects.md section 14).
import type { Secret } from "../../../api/v1/kubernetes.ts";
import { AUTH_TOKEN_SECRET_KEY, Label } from "../../../api/v1/labels.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { checkName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

/** The Secret for a token: 32 random bytes in base64. A Secret that exists already is never changed. */
export function buildAuthSecret(cluster: RayCluster, token: string): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: checkName(cluster.metadata.name),
      namespace: cluster.metadata.namespace ?? "default",
      labels: { [Label.cluster]: cluster.metadata.name },
      ownerReferences: [controllerReference(cluster)],
    },
    stringData: { [AUTH_TOKEN_SECRET_KEY]: token },
  };
}
