import { expect } from "chai";
import { ApiError } from "../../src/local/api.ts";
import { type LocalCluster, startLocalCluster } from "../../src/local/cluster.ts";
import { until } from "../../src/local/wait.ts";
import { createPod, getPod, isReady, isRoot, kubectl, newFolder, podThat } from "./local-support.ts";

describe("a local cluster with simulated nodes", function () {
  this.timeout(120_000);
  let cluster: LocalCluster;

  before(async () => {
    cluster = await startLocalCluster({ stateDir: newFolder(), simulatedNodes: 3 });
  });
  after(async () => {
    await cluster?.stop();
  });

  it("shows its nodes to kubectl, with the kubeconfig it names", () => {
    const nodes = kubectl(cluster, "get", "nodes", "--no-headers").trim().split("\n");
    expect(nodes).to.have.length(3);
    for (const line of nodes) expect(line).to.match(/^simulated-\d +Ready /);
  });

  it("knows the users that tests ask for, and what RBAC allows them", async () => {
    const alice = {
      binDir: cluster.binDir,
      kubeconfig: cluster.kubeconfigFor({ name: "alice", groups: ["developers"] }),
    };
    expect(
      kubectl(alice, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}"),
    ).to.equal('alice ["developers","system:authenticated"]');
    expect(() => kubectl(alice, "get", "pods")).to.throw(/forbidden/);
    const account = {
      binDir: cluster.binDir,
      kubeconfig: await cluster.kubeconfigForServiceAccount("default", "default"),
    };
    expect(kubectl(account, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")).to.equal(
      "system:serviceaccount:default:default",
    );
  });

  it("comes back at the same address with the same objects when the API server is restarted", async () => {
    await createPod(cluster.api, "survivor");
    const { uid } = (await podThat(cluster.api, "survivor", isReady)).metadata;
    const { url } = cluster;
    await cluster.stopApiServer("hard");
    expect(await cluster.api.answers("/readyz")).to.equal(false);
    await cluster.startApiServer();
    expect(cluster.url).to.equal(url);
    expect((await getPod(cluster.api, "survivor")).metadata.uid).to.equal(uid);
  });

  it("answers 410 to a list of the past after a compaction and a restart", async () => {
    const list = await cluster.api.get<{ metadata: { resourceVersion: string } }>("/api/v1/configmaps");
    for (const name of ["one", "two"]) {
      await cluster.api.request("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name } });
    }
    await cluster.compactEtcd();
    await cluster.restartApiServer();
    const past = `/api/v1/configmaps?resourceVersion=${list.metadata.resourceVersion}&resourceVersionMatch=Exact`;
    const refused = await cluster.api.get(past).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ApiError).with.property("status", 410);
  });

  describe("whose pods", () => {
    it("are Ready soon, each with an address of its own, also after init containers", async () => {
      const names = Array.from({ length: 10 }, (_, index) => `plain-${index}`);
      await Promise.all(names.map((name) => createPod(cluster.api, name)));
      const initContainers = [{ name: "wait", image: "x" }];
      await createPod(cluster.api, "with-init", { spec: { initContainers } });
      const pods = await Promise.all([...names, "with-init"].map((name) => podThat(cluster.api, name, isReady)));
      const addresses = new Set(pods.map((pod) => pod.status.podIP));
      expect(addresses.size).to.equal(11);
      const prefix = cluster.ranges.pods.replace(/0\.0\/16$/, "");
      for (const address of addresses) expect(address).to.satisfy((text: string) => text.startsWith(prefix));
    });

    it("are late, never Ready, or never started, as their annotations say", async () => {
      await createPod(cluster.api, "late", { annotations: { "simulate/ready-after": "2s" } });
      await createPod(cluster.api, "never-ready", { annotations: { "simulate/never-ready": "true" } });
      await createPod(cluster.api, "no-image", { annotations: { "simulate/never-started": "ErrImagePull" } });
      await podThat(cluster.api, "never-ready", (pod) => pod.status.phase === "Running");
      const stuck = await podThat(cluster.api, "no-image", (pod) => pod.status.containerStatuses !== undefined);
      expect(stuck.status.containerStatuses?.[0]?.state.waiting?.reason).to.equal("ErrImagePull");
      expect(isReady(await getPod(cluster.api, "late"))).to.equal(false);
      await podThat(cluster.api, "late", isReady);
      expect(isReady(await getPod(cluster.api, "never-ready"))).to.equal(false);
      expect((await getPod(cluster.api, "no-image")).status.phase).to.equal("Pending");
    });

    it("end with the code they are told to, or start again where their policy says so", async () => {
      const annotations = { "simulate/exit-code": "7", "simulate/exit-after": "1s" };
      await createPod(cluster.api, "fails", { annotations, spec: { restartPolicy: "Never" } });
      await createPod(cluster.api, "restarts", { annotations });
      const failed = await podThat(cluster.api, "fails", (pod) => pod.status.phase === "Failed");
      expect(failed.status.containerStatuses?.[0]?.state.terminated?.exitCode).to.equal(7);
      await podThat(
        cluster.api,
        "restarts",
        (pod) => isReady(pod) && pod.status.containerStatuses?.[0]?.restartCount === 1,
      );
    });

    it("go at once when deleted, or stay Terminating when the node is lost", async () => {
      await createPod(cluster.api, "goes");
      await createPod(cluster.api, "stays", { annotations: { "simulate/never-terminates": "true" } });
      for (const name of ["goes", "stays"]) {
        await podThat(cluster.api, name, isReady);
        await cluster.api.request("DELETE", `/api/v1/namespaces/default/pods/${name}`);
      }
      await until(
        "the pod to go",
        10_000,
        async () => !(await cluster.api.answers("/api/v1/namespaces/default/pods/goes")),
      );
      expect((await getPod(cluster.api, "stays")).status.phase).to.equal("Running");
    });

    it("complete a Job", async () => {
      const template = { spec: { restartPolicy: "Never", containers: [{ name: "a", image: "x" }] } };
      const path = "/apis/batch/v1/namespaces/default/jobs";
      await cluster.api.request("POST", path, { metadata: { name: "job" }, spec: { template } });
      await until("the Job", 20_000, async () => {
        const { status } = await cluster.api.get<{ status: { succeeded?: number } }>(`${path}/job`);
        return status.succeeded === 1;
      });
    });
  });

  describe("whose simulated Ray", () => {
    let head: string;

    before(async () => {
      const labels = { "ray.io/cluster": "c", "ray.io/node-type": "head" };
      await createPod(cluster.api, "head", { labels });
      await cluster.api.request("POST", "/api/v1/namespaces/default/services", {
        metadata: { name: "c-head-svc" },
        spec: { selector: labels, ports: [{ name: "dashboard", port: 8265 }] },
      });
      head = (await podThat(cluster.api, "head", isReady)).status.podIP ?? "";
    });

    it("runs a job to its end for whoever connects to the pod's address", async function () {
      if (!isRoot) this.skip();
      expect(cluster.podsReachable).to.equal(true);
      const jobs = `http://${head}:8265/api/jobs/`;
      const submitted = await fetch(jobs, { method: "POST", body: JSON.stringify({ entrypoint: "python a.py" }) });
      const { job_id } = (await submitted.json()) as { job_id: string };
      const seen = new Set<string>();
      await until("the job", 10_000, async () => {
        const { status } = (await (await fetch(jobs + job_id)).json()) as { status: string };
        seen.add(status);
        return status === "SUCCEEDED";
      });
      expect([...seen]).to.deep.equal(["PENDING", "RUNNING", "SUCCEEDED"]);
    });

    it("answers at the address of the service as well", async function () {
      if (!isRoot) this.skip();
      const service = await cluster.api.get<{ spec: { clusterIP: string } }>(
        "/api/v1/namespaces/default/services/c-head-svc",
      );
      const answer = await fetch(`http://${service.spec.clusterIP}:8265/api/version`);
      expect(await answer.json()).to.include({ ray_version: "2.52.0" });
    });

    it("answers through the API server's proxy of service and pod", async () => {
      const base = "/api/v1/namespaces/default";
      expect(await cluster.api.get(`${base}/services/c-head-svc:dashboard/proxy/api/gcs_healthz`)).to.equal("success");
      expect(await cluster.api.get(`${base}/pods/head:8265/proxy/api/gcs_healthz`)).to.equal("success");
    });

    it("takes the job of a submitter's pod, which ends as the job does", async () => {
      const address = "http://c-head-svc.default.svc.cluster.local:8265";
      const submit = (id: string, entrypoint: string) => ({
        metadata: { name: id },
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: "Never",
              containers: [
                {
                  name: "ray-job-submitter",
                  image: "rayproject/ray:2.52.0",
                  command: ["/bin/bash", "-ce"],
                  args: [`ray job submit --address ${address} --no-wait --submission-id ${id} -- ${entrypoint} ;`],
                },
              ],
            },
          },
        },
      });
      const path = "/apis/batch/v1/namespaces/default/jobs";
      await cluster.api.request("POST", path, submit("good", "python a.py"));
      await cluster.api.request("POST", path, submit("bad", "python a.py # simulate:fail"));
      const ended = async (id: string) =>
        (await cluster.api.get<{ status: { succeeded?: number; failed?: number } }>(`${path}/${id}`)).status;
      await until(
        "the submitters",
        20_000,
        async () => (await ended("good")).succeeded === 1 && (await ended("bad")).failed === 1,
      );
      const job = "/api/v1/namespaces/default/services/c-head-svc:dashboard/proxy/api/jobs";
      expect(await cluster.api.get(`${job}/good`)).to.include({ status: "SUCCEEDED", entrypoint: "python a.py" });
      expect(await cluster.api.get(`${job}/bad`)).to.include({ status: "FAILED" });
    });

    it("is not there on the address of a pod that has gone", async function () {
      if (!isRoot) this.skip();
      await createPod(cluster.api, "short", { labels: { "ray.io/node-type": "head" } });
      const address = (await podThat(cluster.api, "short", isReady)).status.podIP;
      const health = () => fetch(`http://${address}:8265/api/gcs_healthz`).then((answer) => answer.ok);
      expect(await health()).to.equal(true);
      await cluster.api.request("DELETE", "/api/v1/namespaces/default/pods/short");
      await until("the address to be free", 10_000, () =>
        health().then(
          () => false,
          () => true,
        ),
      );
    });
  });
});
