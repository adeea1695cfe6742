// What a simulated kubelet does with pods and nodes, as kwok stages. A stage is a rule: an object for which `when`
// holds gets the status of the template after the delay. At most one rule holds for an object at any time.

/** A `kwok.x-k8s.io/v1alpha1` Stage. */
export interface Stage {
  readonly apiVersion: "kwok.x-k8s.io/v1alpha1";
  readonly kind: "Stage";
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

/** Annotations by which a pod says what is to happen to it. */
export const simulate = {
  /** `5s`: time from its addresses to Ready. Without it a pod is Ready at once. */
  readyAfter: "simulate/ready-after",
  /** `true`: it runs, but is never Ready. */
  neverReady: "simulate/never-ready",
  /** A reason such as `ImagePullBackOff`: it stays Pending with it. */
  neverStarted: "simulate/never-started",
  /** `1`: it ends by itself with this code. Where its restart policy says so it restarts once instead. */
  exitCode: "simulate/exit-code",
  /** `10s`: how long it runs before it ends by itself; 2 s unless told. */
  exitAfter: "simulate/exit-after",
  /** `30s`: time from its deletion to its end. Without it a pod ends at once. */
  terminateAfter: "simulate/terminate-after",
  /** `true`: once deleted it stays Terminating, as on a node that was lost. */
  neverTerminates: "simulate/never-terminates",
} as const;

/** All rules, for kwok's `--config`. */
export function stages(): Stage[] {
  return [
    nodeReady,
    podStarting,
    podNeverStarted,
    podReady,
    podNeverReady,
    podEnded,
    podCrashed,
    podRestarted,
    podDeleted,
  ];
}

/** A rule. `when` is a jq expression that gives true or false; one that fails counts as false. */
function rule(
  name: string,
  kind: "Pod" | "Node",
  when: string,
  then: string | { readonly delete: true },
  delay?: object,
): Stage {
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: "v1", kind },
      selector: { matchExpressions: [{ key: when, operator: "In", values: ["true"] }] },
      ...(delay ? { delay } : {}),
      next: typeof then === "string" ? { statusTemplate: then } : then,
    },
  };
}

/** A delay that an annotation may set. */
function delayed(annotation: string, milliseconds: number): object {
  return {
    durationMilliseconds: milliseconds,
    durationFrom: { expressionFrom: `.metadata.annotations["${annotation}"]` },
  };
}

const has = (annotation: string): string => `(.metadata.annotations["${annotation}"] != null)`;
const alive = "(.metadata.deletionTimestamp == null)";
const pending = '(.status.phase == null or .status.phase == "Pending")';
const running = '(.status.phase == "Running")';
const noAddress = "(.status.podIP == null)";
const hasInit = "((.spec.initContainers | length) > 0)";
const ofJob = '(.metadata.labels["batch.kubernetes.io/job-name"] != null)';
// The pod of a job's submitter ends when that job has ended, which the simulated Ray process knows.
const submitter = '(any(.spec.containers[]; .name == "ray-job-submitter"))';
const exits = `(${has(simulate.exitCode)} or (${ofJob} and (${submitter} | not)))`;
const code = `(.metadata.annotations["${simulate.exitCode}"] // "0")`;
const endsForGood = `(.spec.restartPolicy == "Never" or (.spec.restartPolicy == "OnFailure" and ${code} == "0"))`;
const backingOff = '(.status.containerStatuses[0].state.waiting.reason == "CrashLoopBackOff")';

const all = (...conditions: string[]): string => conditions.join(" and ");
const not = (condition: string): string => `(${condition} | not)`;

const nodeReady = rule(
  "node-ready",
  "Node",
  'any(.status.conditions[]?; .type == "Ready" and .status == "True") | not',
  `{{ $now := Now }}
conditions:
- {type: Ready, status: "True", reason: KubeletReady, message: kwok plays the kubelet, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ .metadata.name | Quote }}}
nodeInfo: {architecture: amd64, bootID: "", containerRuntimeVersion: simulated, kernelVersion: simulated, kubeProxyVersion: simulated, kubeletVersion: simulated, machineID: "", operatingSystem: linux, osImage: simulated, systemUUID: ""}
`,
);

// The state of a container, as JSON for a template that has `$now`, `$since`, `$code` and `$why`.
const runs = "{running: {startedAt: {{ $now | Quote }}}}";
const completed =
  "{terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}";
const ended =
  '{terminated: {exitCode: {{ $code }}, reason: {{ if eq $code "0" }}Completed{{ else }}Error{{ end }}, startedAt: {{ $since | Quote }}, finishedAt: {{ $now | Quote }}}}';
const waits = (reason: string): string => `{waiting: {reason: ${reason}}}`;

interface ContainerLook {
  readonly ready: boolean;
  readonly started: boolean;
  readonly state: string;
  readonly restarts?: number;
  readonly last?: string;
}

function containerList(look: ContainerLook): string {
  return `containerStatuses:\n{{ range .spec.containers }}\n${container(look)}{{ end }}\n`;
}

function container({ ready, started, state, restarts = 0, last }: ContainerLook): string {
  const id = '{{ printf "simulated://%s/%s" $.metadata.uid .name | Quote }}';
  return `- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", containerID: ${id}, ready: ${ready}, started: ${started}, restartCount: ${restarts}, state: ${state}${last ? `, lastState: ${last}` : ""}}\n`;
}

// An init container that always restarts is a sidecar, and goes on.
const initRunning = `initContainerStatuses:
{{ range .spec.initContainers }}
${container({ ready: false, started: true, state: runs })}{{ end }}
`;
const initDone = `{{ if .spec.initContainers }}initContainerStatuses:
{{ range .spec.initContainers }}
{{ if eq ( or .restartPolicy "" ) "Always" }}
${container({ ready: true, started: true, state: runs })}{{ else }}
${container({ ready: true, started: false, state: completed })}{{ end }}{{ end }}
{{ end }}`;

interface PodLook {
  readonly phase: string;
  readonly initialized: boolean;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly reason?: string;
  readonly containers: string;
}

// kwok sometimes plays a rule twice, from an old copy of the pod, and then gives it another address. `podIPs` is a
// list that is merged: the API server refuses a second address in it, so the first one stays.
function podStatus({ phase, initialized, ready, reason, containers }: PodLook): string {
  const condition = (type: string, on: boolean): string =>
    `- {type: ${type}, status: "${on ? "True" : "False"}", ${!on && reason ? `reason: ${reason}, ` : ""}lastTransitionTime: {{ $now | Quote }}}\n`;
  const address =
    'PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" )';
  return `{{ $now := Now }}
{{ $since := or .status.startTime $now }}
{{ $annotations := or .metadata.annotations dict }}
{{ $code := or ( index $annotations "${simulate.exitCode}" ) "0" }}
{{ $why := or ( index $annotations "${simulate.neverStarted}" ) "ContainerCreating" }}
{{ $ip := or .status.podIP ( ${address} ) }}
phase: ${phase}
startTime: {{ $since | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
hostIPs: [{ip: {{ NodeIPWith .spec.nodeName | Quote }}}]
podIP: {{ $ip | Quote }}
podIPs: [{ip: {{ $ip | Quote }}}]
conditions:
${condition("PodReadyToStartContainers", true)}${condition("Initialized", initialized)}${condition("Ready", ready)}${condition("ContainersReady", ready)}{{ range .spec.readinessGates }}
- {type: {{ .conditionType | Quote }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
${containers}`;
}

const creating = containerList({ ready: false, started: false, state: waits("{{ $why | Quote }}") });

// Init containers are worth a status of their own: readers must cope with a pod that has an address and does not run.
const podStarting = rule(
  "pod-starting",
  "Pod",
  all(alive, pending, noAddress, hasInit, not(has(simulate.neverStarted))),
  podStatus({
    phase: "Pending",
    initialized: false,
    ready: false,
    reason: "ContainersNotInitialized",
    containers: initRunning + creating,
  }),
);

const podNeverStarted = rule(
  "pod-never-started",
  "Pod",
  all(alive, pending, noAddress, has(simulate.neverStarted)),
  podStatus({ phase: "Pending", initialized: true, ready: false, reason: "ContainersNotReady", containers: creating }),
);

const canRun = all(alive, pending, not(has(simulate.neverStarted)), `(${not(hasInit)} or ${not(noAddress)})`);

const podReady = rule(
  "pod-ready",
  "Pod",
  all(canRun, not(has(simulate.neverReady))),
  podStatus({
    phase: "Running",
    initialized: true,
    ready: true,
    containers: initDone + containerList({ ready: true, started: true, state: runs }),
  }),
  delayed(simulate.readyAfter, 0),
);

const podNeverReady = rule(
  "pod-never-ready",
  "Pod",
  all(canRun, has(simulate.neverReady)),
  podStatus({
    phase: "Running",
    initialized: true,
    ready: false,
    reason: "ContainersNotReady",
    containers: initDone + containerList({ ready: false, started: true, state: runs }),
  }),
);

const podEnded = rule(
  "pod-ended",
  "Pod",
  all(alive, running, exits, endsForGood),
  podStatus({
    phase: '{{ if eq $code "0" }}Succeeded{{ else }}Failed{{ end }}',
    initialized: true,
    ready: false,
    reason: "PodCompleted",
    containers: initDone + containerList({ ready: false, started: false, state: ended }),
  }),
  delayed(simulate.exitAfter, 2_000),
);

const podCrashed = rule(
  "pod-crashed",
  "Pod",
  all(alive, running, exits, not(endsForGood), "(.status.containerStatuses[0].restartCount == 0)"),
  podStatus({
    phase: "Running",
    initialized: true,
    ready: false,
    reason: "ContainersNotReady",
    containers:
      initDone +
      containerList({ ready: false, started: false, state: waits("CrashLoopBackOff"), restarts: 1, last: ended }),
  }),
  delayed(simulate.exitAfter, 2_000),
);

const podRestarted = rule(
  "pod-restarted",
  "Pod",
  all(alive, running, backingOff),
  podStatus({
    phase: "Running",
    initialized: true,
    ready: true,
    containers: initDone + containerList({ ready: true, started: true, state: runs, restarts: 1, last: ended }),
  }),
  { durationMilliseconds: 2_000 },
);

const podDeleted = rule(
  "pod-deleted",
  "Pod",
  all(not(alive), not(has(simulate.neverTerminates))),
  { delete: true },
  delayed(simulate.terminateAfter, 0),
);
