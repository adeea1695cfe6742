// Rules about the head group and each worker group (raycluster-controller.md 4.3, rows 1 to 5).
import { EnvName, HEAD_GROUP_NAME, StartParam } from "../labels.ts";
import { compareRayVersions, parseRayVersion } from "../ray-version.ts";
import { type FieldError, failIf } from "./field-error.ts";
import { labelValueProblems, qualifiedNameProblems } from "./kubernetes-names.ts";
import type { GroupView, HeadView, SpecView } from "./spec-view.ts";

/** Ray's own autoscaler reads priorities from this version on. */
const priorityVersion = "2.56.0";

/** Rows 1 to 4. */
export function headGroup({ head }: SpecView): FieldError[] {
  return [
    ...failIf(
      head.container === undefined,
      `${head.field}.template.spec.containers`,
      "headGroupSpec should have at least one container",
    ),
    ...pods(head, "headGroupSpec"),
  ];
}

/** Row 5, group by group. */
export function workerGroups(view: SpecView): FieldError[] {
  return view.groups.flatMap((group) => [
    ...failIf(
      group.container === undefined,
      `${group.field}.template.spec.containers`,
      "workerGroupSpec should have at least one container",
    ),
    ...replicas(view, group),
    ...pods(group, `worker group ${group.name}`),
    ...idleTimeout(view, group),
    ...priority(view, group),
  ]);
}

/**
 * Not in the reference: groups of one name share their pods and never settle, and the head counts as a worker of a
 * group called like its own. Comes last, so that what the reference reports stays the first message.
 */
export function groupNames({ groups }: SpecView): FieldError[] {
  const names = groups.map(({ name }) => name);
  return groups.flatMap(({ name, field }, index) => [
    ...failIf(name === "", `${field}.groupName`, "worker group names must not be empty"),
    ...failIf(
      name === HEAD_GROUP_NAME,
      `${field}.groupName`,
      `worker group name ${HEAD_GROUP_NAME} is reserved for the head`,
    ),
    ...failIf(
      names.indexOf(name) < index,
      `${field}.groupName`,
      `worker group names must be unique, but ${name} is used more than once`,
    ),
  ]);
}

/** The hosts of a replica are made in one go. The largest machines that are rented as one have some 2,300 hosts. */
const mostHosts = 4096;

/** Not in the reference, which cannot read numbers beyond 32 bits and deletes all pods of a group without hosts. */
export function groupNumbers({ groups }: SpecView): FieldError[] {
  return groups.flatMap(({ name, field, group }) => [
    ...(["replicas", "minReplicas", "maxReplicas", "numOfHosts"] as const).flatMap((number) =>
      failIf(
        Math.abs(group[number] ?? 0) > 2147483647,
        `${field}.${number}`,
        `worker group ${name} has ${number} ${group[number]}, which does not fit into 32 bits`,
      ),
    ),
    ...failIf(
      (group.numOfHosts ?? 1) < 1,
      `${field}.numOfHosts`,
      `worker group ${name} has numOfHosts ${group.numOfHosts}, but a replica has at least one host`,
    ),
    ...failIf(
      (group.numOfHosts ?? 1) > mostHosts,
      `${field}.numOfHosts`,
      `worker group ${name} has numOfHosts ${group.numOfHosts}, but a replica has at most ${mostHosts} hosts`,
    ),
  ]);
}

function replicas({ autoscaling }: SpecView, { group, name, field }: GroupView): FieldError[] {
  const { minReplicas: min, maxReplicas: max } = group;
  const unset = min === undefined ? "minReplicas" : "maxReplicas";
  return [
    ...failIf(
      !autoscaling && (min === undefined || max === undefined),
      `${field}.${unset}`,
      `worker group ${name}: minReplicas and maxReplicas must be set when autoscaling is not enabled`,
    ),
    ...failIf((min ?? 0) < 0, `${field}.minReplicas`, `worker group ${name} has negative minReplicas ${min}`),
    ...failIf((max ?? 0) < 0, `${field}.maxReplicas`, `worker group ${name} has negative maxReplicas ${max}`),
    ...failIf(
      min !== undefined && max !== undefined && min > max,
      `${field}.minReplicas`,
      `worker group ${name} has minReplicas ${min} greater than maxReplicas ${max}`,
    ),
  ];
}

/** Rows 2 to 4, for the head and for every group. */
function pods({ field, startParams, resources, labels }: HeadView, what: string): FieldError[] {
  const sized = [StartParam.numCpus, StartParam.numGpus, StartParam.memory, StartParam.resources];
  const both = Object.keys(resources).length > 0 ? sized.find((name) => (startParams[name] ?? "") !== "") : undefined;
  const problems = labelProblems(labels);
  return [
    ...failIf(
      both !== undefined,
      `${field}.resources`,
      `${what}: resources and rayStartParams \`${both}\` cannot both be set - please use only one of them`,
    ),
    ...failIf(
      StartParam.labels in startParams,
      `${field}.rayStartParams.labels`,
      `${what}: cannot set \`labels\` in rayStartParams - please use the labels field of the group instead`,
    ),
    ...failIf(problems.length > 0, `${field}.labels`, `${what}: ${problems.join("; ")}`),
  ];
}

function labelProblems(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map((problem) => `invalid label key '${key}': ${problem}`),
    ...labelValueProblems(value).map((problem) => `invalid value '${value}' of label '${key}': ${problem}`),
  ]);
}

function idleTimeout(view: SpecView, { group, name, field }: GroupView): FieldError[] {
  const seconds = group.idleTimeoutSeconds;
  if (seconds === undefined) return [];
  const at = `${field}.idleTimeoutSeconds`;
  return [
    ...failIf(seconds < 0, at, `worker group ${name}: idleTimeoutSeconds must not be negative, got ${seconds}`),
    ...failIf(
      !usesAutoscalerV2(view),
      at,
      `worker group ${name}: idleTimeoutSeconds is set, but autoscaler v2 is not enabled. ${enableAutoscalerV2}`,
    ),
  ];
}

function priority(view: SpecView, { group, name, field }: GroupView): FieldError[] {
  if ((group.priority ?? 0) === 0) return [];
  const at = `${field}.priority`;
  const declared = view.spec.rayVersion ?? "";
  const version = parseRayVersion(declared);
  const minimum = parseRayVersion(priorityVersion) ?? [];
  const needs = `worker group ${name}: priority needs Ray ${priorityVersion} or later`;
  return [
    ...failIf(declared === "", at, `${needs}, but rayVersion is not set`),
    ...failIf(declared !== "" && version === undefined, at, `${needs}, but rayVersion ${declared} is no version`),
    ...failIf(version !== undefined && compareRayVersions(version, minimum) < 0, at, `${needs}, got ${declared}`),
    ...failIf(
      !usesAutoscalerV2(view),
      at,
      `worker group ${name}: priority is set, but autoscaler v2 is not enabled. ${enableAutoscalerV2}`,
    ),
  ];
}

function usesAutoscalerV2({ autoscalerV2, autoscalerV2ByEnv }: SpecView): boolean {
  return autoscalerV2 || autoscalerV2ByEnv;
}

const enableAutoscalerV2 = `Please set .spec.autoscalerOptions.version to 'v2' (or set ${EnvName.RAY_enable_autoscaler_v2} environment variable to 'true' in the head pod if using KubeRay < 1.4.0)`;
