// Rules about authentication, network policy and TLS (raycluster-controller.md 4.3, rows 18 to 23).
import { EnvName, MountPath, VolumeName } from "../labels.ts";
import { compareRayVersions, parseRayVersion } from "../ray-version.ts";
import type { NetworkPolicyRules } from "../raycluster.ts";
import { type FieldError, failIf } from "./field-error.ts";
import { dns1123LabelProblems } from "./kubernetes-names.ts";
import { findMount, rayContainerField, type SpecView } from "./spec-view.ts";

const tokenVersion = "2.52.0";
const kubernetesTokenVersion = "2.55.0";

/** Rows 18 and 19. */
export function authentication({ spec }: SpecView): FieldError[] {
  const auth = spec.authOptions ?? {};
  const kubernetes = auth.enableK8sTokenAuth === true;
  if (auth.mode !== "token") {
    return failIf(
      kubernetes,
      "spec.authOptions.enableK8sTokenAuth",
      "authOptions.enableK8sTokenAuth requires authOptions.mode 'token'",
    );
  }
  return [
    ...rayVersion(spec.rayVersion ?? "", "authOptions.mode is 'token'", tokenVersion),
    ...(kubernetes ? kubernetesToken(spec.rayVersion ?? "", auth.secretName ?? "") : []),
  ];
}

function kubernetesToken(declared: string, secretName: string): FieldError[] {
  // Without a version that can be compared, the token rule has said so already.
  const comparable = parseRayVersion(declared) !== undefined;
  return [
    ...(comparable ? rayVersion(declared, "authOptions.enableK8sTokenAuth is true", kubernetesTokenVersion) : []),
    ...failIf(
      secretName !== "",
      "spec.authOptions.secretName",
      "authOptions.secretName cannot be set together with authOptions.enableK8sTokenAuth",
    ),
  ];
}

function rayVersion(declared: string, why: string, minimum: string): FieldError[] {
  const field = "spec.rayVersion";
  if (declared === "") return [{ field, message: `${why} but RayVersion was not specified` }];
  const version = parseRayVersion(declared);
  if (version === undefined) return [{ field, message: `${why} but RayVersion ${declared} is not a valid version` }];
  const older = compareRayVersions(version, parseRayVersion(minimum) ?? []) < 0;
  return failIf(older, field, `${why} but minimum Ray version is ${minimum}, got ${declared}`);
}

/** Rows 20 and 21. */
export function networkPolicy(view: SpecView): FieldError[] {
  const policy = view.spec.networkPolicy;
  if (policy === undefined) return [];
  const field = "spec.networkPolicy";
  const mode = policy.mode ?? "DenyAll";
  const names = view.groups.map(({ name }) => name);
  return [
    ...failIf(
      !view.gates.RayClusterNetworkPolicy,
      field,
      `${field} requires the RayClusterNetworkPolicy feature gate to be enabled`,
    ),
    ...ruleDirections(policy.head, `${field}.head`, mode),
    ...ruleDirections(policy.worker, `${field}.worker`, mode),
    ...view.groups.flatMap((group) => groupNameForPolicy(group.name, `${group.field}.groupName`)),
    ...(policy.workerGroups ?? []).flatMap((entry, index) => [
      ...ruleDirections(entry, `${field}.workerGroups[${index}]`, mode),
      ...failIf(
        !names.includes(entry.groupName),
        `${field}.workerGroups[${index}].groupName`,
        `networkPolicy.workerGroups names ${entry.groupName}, but there is no worker group of that name`,
      ),
    ]),
  ];
}

/** Rules for a direction that the mode leaves open would only look as if they protected something. */
function ruleDirections(rules: NetworkPolicyRules | undefined, field: string, mode: string): FieldError[] {
  const message = (kind: string) => `${field.replace("spec.", "")}.${kind} cannot be set when mode is ${mode}`;
  return [
    ...failIf(
      mode === "DenyAllEgress" && (rules?.ingressRules?.length ?? 0) > 0,
      `${field}.ingressRules`,
      message("ingressRules"),
    ),
    ...failIf(
      mode === "DenyAllIngress" && (rules?.egressRules?.length ?? 0) > 0,
      `${field}.egressRules`,
      message("egressRules"),
    ),
  ];
}

/** The name of a group becomes part of the name of its NetworkPolicy. */
function groupNameForPolicy(name: string, field: string): FieldError[] {
  const problems = dns1123LabelProblems(name);
  return failIf(
    problems.length > 0,
    field,
    `worker group name '${name}' must be a valid DNS-1123 label when networkPolicy is set: ${problems.join("; ")}`,
  );
}

/** Rows 22 and 23. */
export function tls(view: SpecView): FieldError[] {
  const { spec, gates, head, groups, autoscaler } = view;
  if (spec.tlsOptions === undefined) return [];
  const gate = failIf(
    !gates.RayClusterMTLS,
    "spec.tlsOptions",
    "spec.tlsOptions requires the RayClusterMTLS feature gate to be enabled",
  );
  if (spec.tlsOptions.enabled !== true) return gate;
  return [
    ...gate,
    ...tlsOfContainer(head.container, rayContainerField(head), "the Ray container of the head Pod"),
    ...groups.flatMap((group) =>
      tlsOfContainer(group.container, rayContainerField(group), `the Ray container of worker group ${group.name}`),
    ),
    ...tlsOfContainer(autoscaler, "spec.autoscalerOptions", "autoscalerOptions"),
  ];
}

const tlsVariables: readonly string[] = [
  EnvName.RAY_USE_TLS,
  EnvName.RAY_TLS_SERVER_CERT,
  EnvName.RAY_TLS_SERVER_KEY,
  EnvName.RAY_TLS_CA_CERT,
];

type TlsUser = Pick<NonNullable<SpecView["head"]["container"]>, "env" | "volumeMounts">;

function tlsOfContainer(container: TlsUser | undefined, field: string, what: string): FieldError[] {
  const variable = container?.env?.findIndex(({ name }) => tlsVariables.includes(name)) ?? -1;
  const mount = findMount(container?.volumeMounts, VolumeName.rayTls, MountPath.rayTls);
  return [
    ...failIf(
      variable >= 0,
      `${field}.env[${variable}]`,
      `cannot set \`${container?.env?.[variable]?.name}\` env var in ${what} when spec.tlsOptions is enabled - the operator sets it`,
    ),
    ...failIf(
      mount >= 0,
      `${field}.volumeMounts[${mount}]`,
      `cannot mount volume \`${VolumeName.rayTls}\` or path ${MountPath.rayTls} in ${what} when spec.tlsOptions is enabled - the operator mounts it`,
    ),
  ];
}
