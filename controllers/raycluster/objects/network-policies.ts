// Network policies that close a cluster's pods to all but their own traffic (objects.md section 22).
import type { NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule } from "../../../api/v1/kubernetes.ts";
import { API_GROUP, DefaultPort, HEAD_GROUP_NAME, Kind, Label, NodeType, StartParam } from "../../../api/v1/labels.ts";
import type { NetworkPolicyRules, RayCluster } from "../../../api/v1/raycluster.ts";
import { operatorLabels } from "../../shared/labels.ts";
import { headNetworkPolicyName, workerNetworkPolicyName } from "../../shared/names.ts";
import { controllerReference } from "../../shared/owner-reference.ts";

/**
 * One policy for the head, one for each worker group; none if the cluster does not ask for them. DNS is not opened: a
 * mode that closes egress needs a rule of the user's for it.
 */
export function buildNetworkPolicies(cluster: RayCluster): NetworkPolicy[] {
  const options = cluster.spec.networkPolicy;
  if (!options) return [];
  const head = policy(cluster, headNetworkPolicyName(cluster), NodeType.head, HEAD_GROUP_NAME, {
    ingressRules: [...submitterRules(cluster), ...(options.head?.ingressRules ?? [])],
    egressRules: options.head?.egressRules ?? [],
  });
  const workers = (cluster.spec.workerGroupSpecs ?? []).map(({ groupName }) => {
    // An entry for the group replaces the rules for all workers, also in a direction that it leaves empty.
    const rules = options.workerGroups?.find((entry) => entry.groupName === groupName) ?? options.worker ?? {};
    return policy(cluster, workerNetworkPolicyName(cluster, groupName), NodeType.worker, groupName, rules);
  });
  return [head, ...workers];
}

function policy(
  cluster: RayCluster,
  name: string,
  nodeType: "head" | "worker",
  groupName: string,
  { ingressRules = [], egressRules = [] }: NetworkPolicyRules,
): NetworkPolicy {
  const mode = cluster.spec.networkPolicy?.mode ?? "DenyAll";
  const own = [{ podSelector: { matchLabels: { [Label.cluster]: cluster.metadata.name } } }];
  const ingress = mode === "DenyAllEgress" ? undefined : [{ from: own }, ...withProtocols(ingressRules)];
  const egress = mode === "DenyAllIngress" ? undefined : [{ to: own }, ...withProtocols(egressRules)];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name,
      namespace: cluster.metadata.namespace ?? "default",
      labels: { ...operatorLabels(cluster), [Label.group]: groupName },
      ownerReferences: [controllerReference(cluster)],
    },
    spec: {
      podSelector: {
        matchLabels: {
          [Label.cluster]: cluster.metadata.name,
          [Label.nodeType]: nodeType,
          ...(nodeType === NodeType.worker && { [Label.group]: groupName }),
        },
      },
      policyTypes: [...(ingress ? ["Ingress"] : []), ...(egress ? ["Egress"] : [])],
      ...(ingress && { ingress }),
      ...(egress && { egress }),
    },
  };
}

/** A copy in which a port without a protocol says TCP, as the API server stores it: desired and live stay comparable. */
function withProtocols<Rule extends NetworkPolicyIngressRule | NetworkPolicyEgressRule>(
  rules: readonly Rule[],
): Rule[] {
  return structuredClone([...rules]).map((rule) => {
    if (rule.ports) rule.ports = rule.ports.map((port) => ({ protocol: "TCP", ...port }));
    return rule;
  });
}

/** The pod that submits a RayJob is not part of the cluster, but must reach the dashboard. */
function submitterRules(cluster: RayCluster): NetworkPolicyIngressRule[] {
  const owner = cluster.metadata.ownerReferences?.find((reference) => reference.controller);
  const byRayJob = owner?.kind === Kind.rayJob && owner.apiVersion.startsWith(`${API_GROUP}/`);
  if (!byRayJob || cluster.metadata.labels?.[Label.jobSubmissionMode] !== "K8sJobMode") return [];
  const port = Number(cluster.spec.headGroupSpec.rayStartParams?.[StartParam.dashboardPort] ?? Number.NaN);
  const matchLabels = { [Label.originatedFromName]: owner.name, [Label.originatedFromKind]: Kind.rayJob };
  return [
    {
      from: [{ podSelector: { matchLabels } }],
      ports: [{ protocol: "TCP", port: Number.isInteger(port) ? port : DefaultPort.dashboard }],
    },
  ];
}
