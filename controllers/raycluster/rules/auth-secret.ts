// The Secret with the token that all parts of a cluster share (raycluster-controller.md 9.3).
import type { Decision } from "../../../src/kube/decision.ts";
import { needKey } from "../../../src/kube/decision.ts";
import { authSecretName } from "../../shared/names.ts";
import { secrets } from "../../shared/resources.ts";
import { buildAuthSecret } from "../objects/auth-secret.ts";
import { namespaceOf, type ObservedCluster } from "../observed.ts";
import { type RuleContext, Wave } from "./rule.ts";

/** Creates the Secret when it is missing; one that exists is taken as it is, and never rotated. */
export function authSecret(seen: ObservedCluster, { drawToken }: RuleContext): Partial<Decision> {
  const { cluster } = seen;
  const { authOptions } = cluster.spec;
  const users = authOptions?.mode === "disabled" || authOptions?.enableK8sTokenAuth === true || authOptions?.secretName;
  if (authOptions === undefined || users) return {};
  const reference = { type: secrets, namespace: namespaceOf(cluster), name: authSecretName(cluster) };
  const existing = seen.read.get(needKey(reference));
  if (existing === undefined) return { needs: [reference] };
  if (existing !== null) return {};
  const object = buildAuthSecret(cluster, drawToken());
  const reason = `token authentication is on and Secret ${reference.name} does not exist`;
  return { actions: [{ verb: "create", type: secrets, object, wave: Wave.dependencies, reason, adoptExisting: true }] };
}
