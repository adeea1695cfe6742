// What settings and single fields of a RayCluster change in its objects.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { parse } from "yaml";
import type { Container, ObjectMeta, Pod } from "../../../api/v1/kubernetes.ts";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import { buildAuthSecret } from "../../../controllers/raycluster/objects/auth-secret.ts";
import {
  buildAutoscalerRole,
  buildAutoscalerRoleBinding,
  buildAutoscalerServiceAccount,
} from "../../../controllers/raycluster/objects/autoscaler-rbac.ts";
import { buildGcsClaim } from "../../../controllers/raycluster/objects/gcs-claim.ts";
import { buildHeadPod } from "../../../controllers/raycluster/objects/head-pod.ts";
import { buildHeadService } from "../../../controllers/raycluster/objects/head-service.ts";
import { buildIngress } from "../../../controllers/raycluster/objects/ingress.ts";
import { buildNetworkPolicies } from "../../../controllers/raycluster/objects/network-policies.ts";
import { buildRedisCleanupJob } from "../../../controllers/raycluster/objects/redis-cleanup-job.ts";
import { buildRoute } from "../../../controllers/raycluster/objects/route.ts";
import { buildServeService } from "../../../controllers/raycluster/objects/serve-service.ts";
import { buildWorkerPod } from "../../../controllers/raycluster/objects/worker-pod.ts";
import {
  isTokenAuthEnabled,
  needsGeneratedSecret,
  usesKubernetesTokens,
} from "../../../controllers/shared/authentication.ts";
import {
  isGcsFtEnabled,
  redisStorageNamespace,
  usesEmbeddedStorage,
} from "../../../controllers/shared/gcs-fault-tolerance.ts";
import * as resources from "../../../controllers/shared/resources.ts";
import { defaultSettings, type Settings } from "../../../controllers/shared/settings.ts";

import type { KubeObject, ResourceType } from "../../../src/kube/types.ts";

const minimal: RayCluster = parse(readFileSync(new URL("examples/minimal.yaml", import.meta.url), "utf8"));

/** The minimal example, changed. */
function cluster(change: (draft: RayCluster) => void = () => {}): RayCluster {
  const draft = structuredClone(minimal);
  change(draft);
  return draft;
}

const head = (of: RayCluster, settings: Partial<Settings> = {}): Pod =>
  buildHeadPod(of, defaultSettings(settings), { name: "demo-head-x7k2p" });
const worker = (of: RayCluster, settings: Partial<Settings> = {}): Pod =>
  buildWorkerPod(of, of.spec.workerGroupSpecs![0]!, defaultSettings(settings), {
    name: "demo-small-worker-x7k2p",
    replicaIndex: 0,
    hostIndex: 0,
  });
const ray = (pod: Pod): Container => pod.spec!.containers[0]!;
const env = (container: Container): Record<string, unknown> =>
  Object.fromEntries((container.env ?? []).map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
const names = (items: { name?: string }[] | undefined) => items?.map((item) => item.name);

describe("Pods", () => {
  it("show the prefix of their name, unless head names are deterministic", () => {
    expect(head(cluster()).metadata.generateName).to.equal("demo-head-");
    expect(head(cluster(), { enableDeterministicHeadPodName: true }).metadata.generateName).to.equal(undefined);
    expect(worker(cluster()).metadata.generateName).to.equal("demo-small-worker-");
  });

  it("run generated commands in a login shell when the operator is told so", () => {
    const pod = worker(cluster(), { enableLoginShell: true });
    expect(ray(pod).command).to.deep.equal(["/bin/bash", "-cl", "--"]);
    expect(pod.spec!.initContainers![0]!.command).to.deep.equal(["/bin/bash", "-cl", "--"]);
  });

  it("get neither probes nor a waiting container when the operator is told so", () => {
    const pod = worker(cluster(), { enableProbesInjection: false, enableInitContainerInjection: false });
    expect(pod.spec!.initContainers).to.equal(undefined);
    expect(ray(pod)).not.to.have.any.keys("livenessProbe", "readinessProbe");
  });

  it("get the operator's sidecars, variables, labels and annotations, where the user has none of that name", () => {
    const of = cluster((draft) => {
      draft.spec.headGroupSpec.template.metadata = { labels: { team: "a" }, annotations: { note: "mine" } };
      ray(draft.spec.headGroupSpec.template as Pod).env = [{ name: "REGION", value: "here" }];
    });
    const pod = head(of, {
      headSidecarContainers: [{ name: "logs", image: "logs:1" }],
      workerSidecarContainers: [{ name: "other", image: "other:1" }],
      defaultContainerEnvs: [
        { name: "REGION", value: "there" },
        { name: "ZONE", value: "b" },
      ],
      defaultPodLabels: { team: "b", cost: "1" },
      defaultPodAnnotations: { note: "ours", more: "yes" },
    });
    expect(names(pod.spec!.containers)).to.deep.equal(["ray-head", "logs"]);
    expect(env(ray(pod))).to.include({ REGION: "here", ZONE: "b" });
    expect(pod.metadata.labels).to.include({ team: "a", cost: "1" });
    expect(pod.metadata.annotations).to.include({ note: "mine", more: "yes" });
    expect(names(worker(of, { workerSidecarContainers: [{ name: "other" }] }).spec!.containers)).to.deep.equal([
      "ray-worker",
      "other",
    ]);
  });

  it("keep the user's command in front of Ray, or instead of it", () => {
    const of = cluster((draft) => {
      const container = ray(draft.spec.headGroupSpec.template as Pod);
      container.command = ["python"];
      container.args = ["/opt/prep.py"];
    });
    expect(ray(head(of)).args![0]).to.match(
      /^ python {2}\/opt\/prep.py {2}&& ulimit -n \S+; ray start --head {2}--block/,
    );
    of.metadata.annotations = { "ray.io/overwrite-container-cmd": "TRUE" };
    const kept = head(of);
    expect(ray(kept).command).to.deep.equal(["python"]);
    expect(ray(kept).args).to.deep.equal(["/opt/prep.py"]);
    expect(kept.metadata.annotations).to.include({ "ray.io/overwrite-container-cmd": "true" });
    expect(env(ray(kept)).KUBERAY_GEN_RAY_START_CMD).to.match(/^ray start --head {2}--block/);
  });

  it("do not mix up containers that a YAML file shares by anchors", () => {
    const of = cluster((draft) => {
      const { spec } = draft.spec.workerGroupSpecs![0]!.template;
      spec!.initContainers = [spec!.containers[0]!];
    });
    const pod = worker(of);
    expect(pod.spec!.initContainers![0]!.command).to.equal(undefined);
    expect(names(pod.spec!.initContainers![0]!.env)).to.deep.equal(["FQ_RAY_IP", "RAY_IP"]);
  });

  it("leave /dev/shm alone when Ray is told where to keep objects", () => {
    const of = cluster((draft) => {
      draft.spec.headGroupSpec.rayStartParams = { "plasma-directory": "/objects" };
    });
    expect(head(of).spec!.volumes).to.equal(undefined);
  });

  it("of a RayService tell where Serve traffic may go, and fail early", () => {
    const of = cluster((draft) => {
      draft.metadata.labels = { "ray.io/originated-from-crd": "RayService" };
    });
    expect(head(of).metadata.labels).to.include({ "ray.io/serve": "false" });
    const pod = worker(of);
    expect(pod.metadata.labels).to.include({ "ray.io/serve": "true" });
    expect(names(ray(pod).env)!.join(" ")).to.contain(
      "RAY_PORT RAY_timeout_ms_task_wait_for_death_info RAY_gcs_server_request_timeout_seconds RAY_SERVE_KV_TIMEOUT_S RAY_ADDRESS",
    );
    expect(env(ray(head(of))).RAY_USAGE_STATS_EXTRA_TAGS).to.match(/;kuberay_crd=RayService$/);
    expect(ray(pod).readinessProbe).to.deep.equal({
      exec: {
        command: [
          "bash",
          "-c",
          "wget --tries 1 -T 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success && wget --tries 1 -T 10 -q -O- http://localhost:8000/-/healthz | grep success",
        ],
      },
      initialDelaySeconds: 10,
      timeoutSeconds: 2,
      periodSeconds: 5,
      successThreshold: 1,
      failureThreshold: 1,
    });
    expect(ray(pod).livenessProbe!.failureThreshold).to.equal(120);
  });

  it("tell their place in the group only with the gate for it", () => {
    const gates = { ...defaultSettings().featureGates, RayMultiHostIndexing: false };
    expect(worker(cluster()).metadata.labels).to.include({ "ray.io/worker-group-replica-index": "0" });
    expect(worker(cluster(), { featureGates: gates }).metadata.labels).not.to.have.property(
      "ray.io/worker-group-replica-index",
    );
  });

  it("stay in the cluster's namespace under the operator's own labels, whatever the template says", () => {
    const of = cluster((draft) => {
      const group = draft.spec.workerGroupSpecs![0]!;
      group.labels = { zone: "b", "ray.io/group": "wrong" };
      group.template.metadata = {
        name: "fixed",
        namespace: "elsewhere",
        labels: { zone: "a", "ray.io/cluster": "other", "ray.io/node-type": "head", colour: "red" },
        finalizers: ["example.com/wait"],
      };
    });
    const { metadata } = worker(of);
    expect(metadata).to.include({ name: "demo-small-worker-x7k2p", namespace: "ml" });
    expect(metadata.finalizers).to.deep.equal(["example.com/wait"]);
    expect(metadata.labels).to.include({
      zone: "b",
      colour: "red",
      "ray.io/cluster": "demo",
      "ray.io/node-type": "worker",
      "ray.io/group": "small",
    });
  });
});

describe("Token authentication", () => {
  const secret = (draft: RayCluster) => {
    draft.spec.authOptions = { mode: "token" };
    draft.spec.enableInTreeAutoscaling = true;
  };
  const kubernetes = (draft: RayCluster) => {
    draft.spec.authOptions = { mode: "token", enableK8sTokenAuth: true };
    draft.spec.enableInTreeAutoscaling = true;
  };

  it("gives every process of Ray the token of the generated Secret", () => {
    const pod = head(cluster(secret));
    const token = { secretKeyRef: { name: "demo", key: "auth_token" } };
    const containers = [...pod.spec!.containers, worker(cluster(secret)).spec!.initContainers![0]!];
    expect(names(containers)).to.deep.equal(["ray-head", "autoscaler", "wait-gcs-ready"]);
    for (const container of containers) {
      expect(env(container).RAY_AUTH_MODE, container.name).to.equal("token");
      expect(env(container).RAY_AUTH_TOKEN, container.name).to.deep.equal(token);
    }
    expect(buildAuthSecret(cluster(secret), "abc").stringData).to.deep.equal({ auth_token: "abc" });
  });

  it("by Kubernetes mounts the pod's own token instead", () => {
    const pod = head(cluster(kubernetes));
    const mount = { name: "ray-token", mountPath: "/var/run/secrets/ray.io/serviceaccount", readOnly: true };
    for (const container of [...pod.spec!.containers, worker(cluster(kubernetes)).spec!.initContainers![0]!]) {
      expect(env(container), container.name).to.include({ RAY_ENABLE_K8S_TOKEN_AUTH: "true" });
      expect(env(container), container.name).not.to.have.property("RAY_AUTH_TOKEN");
      expect(container.volumeMounts, container.name).to.deep.include(mount);
    }
    expect(pod.spec!.volumes![0]).to.deep.equal({
      name: "ray-token",
      projected: { sources: [{ serviceAccountToken: { path: "token" } }] },
    });
  });

  it("is on for the mode token only", () => {
    const on = (authOptions: RayCluster["spec"]["authOptions"]) => {
      const of = cluster((draft) => Object.assign(draft.spec, { authOptions }));
      return [isTokenAuthEnabled(of), usesKubernetesTokens(of)];
    };
    expect(on(undefined)).to.deep.equal([false, false]);
    expect(on({ enableK8sTokenAuth: true })).to.deep.equal([false, false]);
    expect(on({ mode: "token" })).to.deep.equal([true, false]);
    expect(on({ mode: "token", enableK8sTokenAuth: true })).to.deep.equal([true, true]);
  });

  it("needs a Secret of the operator's only without one of the user's", () => {
    const needs = (authOptions: RayCluster["spec"]["authOptions"]) =>
      needsGeneratedSecret(cluster((draft) => Object.assign(draft.spec, { authOptions })));
    expect(needs(undefined)).to.equal(false);
    expect(needs({ mode: "disabled" })).to.equal(false);
    expect(needs({ mode: "token" })).to.equal(true);
    expect(needs({})).to.equal(true);
    expect(needs({ mode: "token", secretName: "mine" })).to.equal(false);
    expect(needs({ mode: "token", enableK8sTokenAuth: true })).to.equal(false);
  });
});

describe("Fault tolerance", () => {
  it("is on by options or annotation, and keeps its keys in Redis under the UID unless told where", () => {
    const annotated = (annotations: Record<string, string>) =>
      cluster((draft) => Object.assign(draft.metadata, { annotations }));
    const optioned = (options: RayCluster["spec"]["gcsFaultToleranceOptions"]) =>
      cluster((draft) => Object.assign(draft.spec, { gcsFaultToleranceOptions: options }));
    expect(isGcsFtEnabled(cluster())).to.equal(false);
    expect(isGcsFtEnabled(annotated({ "ray.io/ft-enabled": "yes" }))).to.equal(false);
    expect(isGcsFtEnabled(annotated({ "ray.io/ft-enabled": "True" }))).to.equal(true);
    expect(isGcsFtEnabled(optioned({}))).to.equal(true);
    expect(usesEmbeddedStorage(optioned({ backend: "redis" }))).to.equal(false);
    expect(usesEmbeddedStorage(optioned({ backend: "rocksdb" }))).to.equal(true);
    expect(redisStorageNamespace(cluster())).to.equal(cluster().metadata.uid);
    expect(redisStorageNamespace(annotated({ "ray.io/external-storage-namespace": "a" }))).to.equal("a");
    expect(redisStorageNamespace(optioned({ externalStorageNamespace: "b" }))).to.equal("b");
  });

  it("on a volume of the head needs a claim, which may outlive the cluster", () => {
    const of = cluster((draft) => {
      draft.spec.gcsFaultToleranceOptions = { backend: "rocksdb", storage: { subPath: "a", size: "2Gi" } };
    });
    const pod = head(of);
    expect(pod.metadata.annotations).to.include({ "ray.io/ft-enabled": "true" });
    expect(pod.metadata.annotations).not.to.have.property("ray.io/external-storage-namespace");
    expect(env(ray(pod))).to.include({ RAY_gcs_storage: "rocksdb", RAY_gcs_storage_path: "/data/gcs" });
    expect(ray(pod).volumeMounts![0]).to.deep.equal({ name: "gcs-storage", mountPath: "/data/gcs", subPath: "a" });
    expect(names(pod.spec!.volumes)).to.deep.equal(["gcs-storage", "shared-mem"]);
    expect(env(ray(worker(of)))).to.include({ RAY_gcs_rpc_server_reconnect_timeout_s: "600" });
    expect(buildGcsClaim(of).metadata.ownerReferences).to.have.length(1);
    of.spec.gcsFaultToleranceOptions!.storage!.deletionPolicy = "Retain";
    expect(buildGcsClaim(of).metadata.ownerReferences).to.equal(undefined);
    expect(buildGcsClaim(of).spec!.resources!.requests).to.deep.equal({ storage: "2Gi" });
  });

  it("by annotation takes the literal password from the parameters", () => {
    const of = cluster((draft) => {
      draft.metadata.annotations = { "ray.io/ft-enabled": "True", "ray.io/external-storage-namespace": "mine" };
      draft.spec.headGroupSpec.rayStartParams = { "redis-password": "secret" };
    });
    expect(env(ray(head(of)))).to.include({ REDIS_PASSWORD: "secret", RAY_external_storage_namespace: "mine" });
    expect(ray(head(of)).args![0]).to.contain(" --redis-password=secret ");
  });

  it("passes the user name to the script that cleans Redis only where one is set", () => {
    const script = (redisUsername?: { value: string }) => {
      const of = cluster((draft) => {
        draft.spec.gcsFaultToleranceOptions = { redisAddress: "redis:6379", ...(redisUsername && { redisUsername }) };
      });
      return buildRedisCleanupJob(of, defaultSettings()).spec!.template.spec!.containers[0]!.args![0]!;
    };
    expect(script()).not.to.contain("username=");
    expect(script({ value: "ray" })).to.contain('username=os.environ.get("REDIS_USERNAME", url.username)');
    expect(spawnSync("bash", ["-n", "-c", script()]).status).to.equal(0);
  });
});

describe("The script that waits for the head", () => {
  it("asks until the head answers, and hides what is printed before", () => {
    const script = worker(cluster()).spec!.initContainers![0]!.args![0]!;
    const fake = `tries=0; ray() { echo noise; echo "asked $*"; tries=$((tries + 1)); [ $tries -ge 3 ]; }; sleep() { :; }; `;
    const { status, stdout } = spawnSync("bash", ["-c", fake + script], { encoding: "utf8" });
    expect(status).to.equal(0);
    expect(stdout.trim().split("\n")).to.deep.equal([
      "Waiting for the GCS at demo-head-svc.ml.svc.cluster.local:6379 (0 s)",
      "Waiting for the GCS at demo-head-svc.ml.svc.cluster.local:6379 (0 s)",
      "The GCS is ready",
    ]);
  });

  it("shows after two minutes why the head does not answer", () => {
    const script = worker(cluster()).spec!.initContainers![0]!.args![0]!.replace("SECONDS=0", "SECONDS=121");
    const fake = `tries=0; ray() { echo "no route"; tries=$((tries + 1)); [ $tries -ge 2 ]; }; sleep() { :; }; `;
    const { stdout } = spawnSync("bash", ["-c", fake + script], { encoding: "utf8" });
    expect(stdout).to.match(/^no route\nStill waiting .*troubleshooting.html\nno route\nThe GCS is ready\n$/);
  });
});

describe("Services", () => {
  const service = (change: (draft: RayCluster) => void, settings: Partial<Settings> = {}) =>
    buildHeadService(cluster(change), defaultSettings(settings)).spec!;

  it("of a head are headless, but for another type or the operator's wish", () => {
    expect(service(() => {})).to.include({ clusterIP: "None", publishNotReadyAddresses: true });
    expect(service((draft) => Object.assign(draft.spec.headGroupSpec, { serviceType: "ClusterIP" }))).to.include({
      clusterIP: "None",
    });
    expect(
      service((draft) => Object.assign(draft.spec.headGroupSpec, { serviceType: "NodePort" })),
    ).not.to.have.any.keys("clusterIP", "publishNotReadyAddresses");
    expect(service(() => {}, { enableRayHeadClusterIPService: true })).not.to.have.property("clusterIP");
  });

  it("of a head have the ports that its container declares, and the one for metrics", () => {
    const { ports } = service((draft) => {
      ray(draft.spec.headGroupSpec.template as Pod).ports = [
        { name: "serve", containerPort: 8001 },
        { containerPort: 9000 },
      ];
    });
    expect(ports).to.deep.equal([
      { name: "9000-port", port: 9000, appProtocol: "tcp" },
      { name: "metrics", port: 8080, appProtocol: "tcp" },
      { name: "serve", port: 8001, appProtocol: "tcp" },
    ]);
  });

  it("of a head follow the template's app name, and carry the asked for annotations", () => {
    const of = cluster((draft) => {
      draft.spec.headGroupSpec.template.metadata = { labels: { "app.kubernetes.io/name": "mine" } };
      draft.spec.headServiceAnnotations = { a: "b" };
    });
    const built = buildHeadService(of, defaultSettings());
    expect(built.spec!.selector).to.include({ "app.kubernetes.io/name": "mine" });
    expect(built.metadata.annotations).to.deep.equal({ a: "b" });
  });

  it("for Serve say what is wrong with a head without a port for it", () => {
    const of = cluster((draft) => {
      ray(draft.spec.headGroupSpec.template as Pod).ports = [{ name: "dashboard", containerPort: 8265 }];
    });
    expect(buildServeService(of)).to.have.property("problem").that.contains("serve");
    ray(of.spec.headGroupSpec.template as Pod).ports!.push({ name: "serve-grpc", containerPort: 9000 });
    const built = buildServeService(of);
    expect("spec" in built && built.spec!.ports).to.deep.equal([{ name: "serve-grpc", port: 9000 }]);
  });
});

describe("Ways in from outside", () => {
  it("are an Ingress with the cluster's annotations", () => {
    const of = cluster((draft) => {
      draft.metadata.annotations = { "kubernetes.io/ingress.class": "nginx", rewrite: "/" };
      const tls = [{ hosts: ["ray.example"], secretName: "cert" }];
      draft.spec.headGroupSpec.ingressOptions = { host: "ray.example", path: "/x", pathType: "Exact", tls };
    });
    const { metadata, spec } = buildIngress(of);
    expect(metadata.name).to.equal("demo-head-ingress");
    expect(metadata.annotations).to.deep.equal({ rewrite: "/" });
    expect(spec).to.deep.equal({
      ingressClassName: "nginx",
      rules: [
        {
          host: "ray.example",
          http: {
            paths: [
              {
                path: "/x",
                pathType: "Exact",
                backend: { service: { name: "demo-head-svc", port: { number: 8265 } } },
              },
            ],
          },
        },
      ],
      tls: [{ hosts: ["ray.example"], secretName: "cert" }],
    });
  });

  it("are a Route on OpenShift", () => {
    expect(buildRoute(cluster()).spec).to.deep.equal({
      to: { kind: "Service", name: "demo-head-svc", weight: 100 },
      port: { targetPort: 8265 },
      wildcardPolicy: "None",
    });
  });

  it("are opened for a RayJob's submitter by network policies", () => {
    const of = cluster((draft) => {
      draft.spec.networkPolicy = {
        mode: "DenyAllIngress",
        worker: { ingressRules: [{ ports: [{ port: 1 }] }] },
        workerGroups: [{ groupName: "small", egressRules: [{}] }],
      };
      draft.metadata.labels = { "ray.io/job-submission-mode": "K8sJobMode" };
      const reference = { apiVersion: "ray.io/v1", kind: "RayJob", name: "train", uid: "j", controller: true };
      draft.metadata.ownerReferences = [reference];
    });
    const [forHead, forWorkers] = buildNetworkPolicies(of);
    const own = { from: [{ podSelector: { matchLabels: { "ray.io/cluster": "demo" } } }] };
    expect(forHead!.spec.ingress).to.deep.equal([
      own,
      {
        from: [
          {
            podSelector: {
              matchLabels: { "ray.io/originated-from-cr-name": "train", "ray.io/originated-from-crd": "RayJob" },
            },
          },
        ],
        ports: [{ protocol: "TCP", port: 8265 }],
      },
    ]);
    expect(forWorkers!.spec.policyTypes).to.deep.equal(["Ingress"]);
    expect(forWorkers!.spec.ingress, "the group's entry replaces the rules for all workers").to.deep.equal([own]);
    expect(forWorkers!.spec).not.to.have.property("egress");
    expect(buildNetworkPolicies(cluster())).to.deep.equal([]);
  });
});

describe("Every object", () => {
  it("belongs to the RayCluster, and is served where the operator sends it", () => {
    const of = cluster((draft) => {
      draft.spec.networkPolicy = {};
    });
    const built: [ResourceType, KubeObject | undefined][] = [
      [resources.pods, head(of)],
      [resources.services, buildHeadService(of, defaultSettings())],
      [resources.serviceAccounts, buildAutoscalerServiceAccount(of)],
      [resources.roles, buildAutoscalerRole(of)],
      [resources.roleBindings, buildAutoscalerRoleBinding(of)],
      [resources.secrets, buildAuthSecret(of, "x")],
      [resources.persistentVolumeClaims, buildGcsClaim(of)],
      [resources.jobs, buildRedisCleanupJob(of, defaultSettings())],
      [resources.ingresses, buildIngress(of)],
      [resources.networkPolicies, buildNetworkPolicies(of)[0]],
      [resources.routes, buildRoute(of)],
    ];
    const uid = of.metadata.uid;
    const owner = {
      apiVersion: "ray.io/v1",
      kind: "RayCluster",
      name: "demo",
      uid,
      controller: true,
      blockOwnerDeletion: true,
    };
    for (const [{ apiVersion, kind }, object] of built) {
      expect(object).to.include({ apiVersion, kind });
      expect(object!.metadata.namespace, kind).to.equal("ml");
      expect((object!.metadata as ObjectMeta).ownerReferences, kind).to.deep.equal([owner]);
    }
  });
});
