import { expect } from "chai";
import { Directory, type Pod } from "../../../src/local/simulated-ray/pods.ts";
import { SimulatedRay } from "../../../src/local/simulated-ray/ray.ts";
import { Submitters, submitCommand } from "../../../src/local/simulated-ray/submitter.ts";

interface PodLook {
  name?: string;
  node?: "head" | "worker";
  ip?: string;
  ready?: boolean;
  phase?: string;
  annotations?: Record<string, string>;
  env?: { name: string; value: string }[];
}

function pod({
  name = "head",
  node = "head",
  ip = "10.0.0.1",
  ready = true,
  phase = "Running",
  annotations = {},
  env = [],
}: PodLook): Pod {
  return {
    metadata: {
      namespace: "default",
      name,
      uid: `uid-${name}`,
      labels: { "ray.io/cluster": "c", "ray.io/node-type": node },
      annotations,
    },
    spec: {
      containers: [
        { name: "ray", image: "rayproject/ray:2.53.0-py311", ports: [{ name: "dashboard", containerPort: 9000 }], env },
      ],
    },
    status: {
      phase,
      podIP: ip,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [{ name: "ray", ready }],
    },
  };
}

describe("simulated Ray", () => {
  let directory: Directory;
  let ray: SimulatedRay;
  let now: number;
  beforeEach(() => {
    directory = new Directory();
    now = 0;
    ray = new SimulatedRay(directory, () => now);
  });

  const call = (method: string, url: string, body = "", address = "10.0.0.1", port = 8265, headers = {}) => {
    const destination = directory.destination(address, port);
    return destination && ray.answer(destination, { method, url, headers, body });
  };

  it("answers on a head's dashboard port, also when the pod gives it another number", () => {
    directory.setPod(pod({}));
    for (const port of [8265, 9000]) {
      expect(call("GET", "/api/version", "", "10.0.0.1", port)?.body).to.include({ ray_version: "2.53.0" });
    }
  });

  it("has no dashboard on a worker, but an agent", () => {
    directory.setPod(pod({ name: "w", node: "worker", ip: "10.0.0.2" }));
    expect(directory.destination("10.0.0.2", 8265)).to.equal(undefined);
    expect(call("GET", "/api/local_raylet_healthz", "", "10.0.0.2", 52365)).to.include({
      status: 200,
      body: "success",
    });
  });

  it("does not answer where no pod runs, or one that is not Ready", () => {
    expect(directory.destination("10.0.0.9", 8265)).to.equal(undefined);
    directory.setPod(pod({ ready: false }));
    expect(directory.destination("10.0.0.1", 8265)).to.equal(undefined);
    directory.setPod(pod({ phase: "Failed" }));
    expect(directory.destination("10.0.0.1", 8265)).to.equal(undefined);
  });

  it("leads a service's address to a Ready pod of its selector, by the name of the port", () => {
    directory.setPod(pod({}));
    directory.setService({
      metadata: { namespace: "default", name: "c-head-svc", uid: "s" },
      spec: {
        clusterIP: "10.9.0.1",
        selector: { "ray.io/node-type": "head" },
        ports: [{ port: 80, targetPort: "dashboard" }],
      },
    });
    expect(directory.destination("10.9.0.1", 80)).to.include({ port: 9000, role: "dashboard" });
    expect(directory.destination("10.9.0.1", 81)).to.equal(undefined);
  });

  it("gives an address to the pod that has it now, not to one that had it", () => {
    const old = pod({ name: "old" });
    directory.setPod(old);
    directory.setPod(pod({ name: "new" }));
    directory.removePod(old.metadata.uid);
    expect(directory.destination("10.0.0.1", 8265)?.pod.metadata.name).to.equal("new");
  });

  it("runs a job through the API", () => {
    directory.setPod(pod({}));
    const body = JSON.stringify({ entrypoint: "python a.py", submission_id: "j" });
    expect(call("POST", "/api/jobs/", body)).to.deep.include({
      status: 200,
      body: { job_id: "j", submission_id: "j" },
    });
    expect(call("POST", "/api/jobs/", body)?.status).to.equal(500);
    now = 5_000;
    expect(call("GET", "/api/jobs/j")?.body).to.include({ status: "SUCCEEDED" });
    expect(call("GET", "/api/jobs/other")?.status).to.equal(404);
    expect(call("DELETE", "/api/jobs/j")?.status).to.equal(200);
    expect(call("GET", "/api/jobs/")?.body).to.deep.equal([]);
  });

  it("answers bad JSON with 400", () => {
    directory.setPod(pod({}));
    expect(call("POST", "/api/jobs/", "{")?.status).to.equal(400);
  });

  it("loses its jobs with the head, unless GCS is fault tolerant", () => {
    for (const [ft, left] of [
      ["false", 0],
      ["true", 1],
    ] as const) {
      const annotations = { "ray.io/ft-enabled": ft };
      const first = pod({ name: `first-${ft}`, annotations });
      directory.setPod(first);
      call("POST", "/api/jobs/", JSON.stringify({ entrypoint: "x" }));
      directory.removePod(first.metadata.uid);
      directory.setPod(pod({ name: `second-${ft}`, annotations }));
      expect(call("GET", "/api/jobs/")?.body).to.have.length(left);
      directory.removePod(`uid-second-${ft}`);
    }
  });

  it("goes on when a finished sidecar has made the head unready, for those whom its service still leads there", () => {
    const head = pod({ ready: false });
    directory.setPod({ ...head, status: { ...head.status, containerStatuses: [{ name: "ray", ready: true }] } });
    const service = (name: string, address: string, publishNotReadyAddresses: boolean) =>
      directory.setService({
        metadata: { namespace: "default", name, uid: name },
        spec: {
          clusterIP: address,
          selector: { "ray.io/cluster": "c" },
          ports: [{ port: 8265 }],
          publishNotReadyAddresses,
        },
      });
    service("usual", "10.9.0.1", false);
    service("publishing", "10.9.0.2", true);
    expect(call("GET", "/api/version")?.status).to.equal(200);
    expect(directory.destination("10.9.0.1", 8265)).to.equal(undefined);
    expect(directory.destination("10.9.0.2", 8265)?.role).to.equal("dashboard");
  });

  it("opens the Serve port with the first config, on workers too", () => {
    directory.setPod(pod({}));
    directory.setPod(pod({ name: "w", node: "worker", ip: "10.0.0.2" }));
    const port = directory.destination("10.0.0.2", 8000);
    expect(port && ray.accepts(port)).to.equal(false);
    call(
      "PUT",
      "/api/serve/applications/",
      JSON.stringify({ applications: [{ import_path: "a:b", route_prefix: "/" }] }),
    );
    expect(port && ray.accepts(port)).to.equal(true);
    expect(call("GET", "/-/healthz", "", "10.0.0.2", 8000)?.status).to.equal(200);
  });

  it("asks for a token where the pod says so, but not for health", () => {
    directory.setPod(pod({ env: [{ name: "RAY_AUTH_MODE", value: "token" }] }));
    expect(call("GET", "/api/jobs/")?.status).to.equal(401);
    expect(call("GET", "/api/gcs_healthz")?.status).to.equal(200);
    const headers = { "x-ray-authorization": "Bearer abc" };
    expect(call("GET", "/api/jobs/", "", "10.0.0.1", 8265, headers)?.status).to.equal(200);
  });

  it("fails as the head's annotation says", () => {
    directory.setPod(pod({ annotations: { "simulate/dashboard": "error" } }));
    expect(call("GET", "/api/jobs/")?.status).to.equal(500);
    directory.setPod(pod({ annotations: { "simulate/dashboard": "refuse" } }));
    const destination = directory.destination("10.0.0.1", 8265);
    expect(destination && ray.accepts(destination)).to.equal(false);
  });

  describe("a submitter", () => {
    const script =
      "until python -c x >/dev/null 2>&1 ; do sleep 2 ; done ; if ! ray job status --address http://c-head-svc.default.svc.cluster.local:8265 rj-abc >/dev/null 2>&1 ; then ray job submit --address http://c-head-svc.default.svc.cluster.local:8265 --no-wait --submission-id rj-abc -- python a.py --flag -- x ; fi ; ray job logs --address http://c-head-svc.default.svc.cluster.local:8265 --follow rj-abc";
    const submitter: Pod = {
      metadata: { namespace: "default", name: "rj", uid: "uid-rj", labels: {} },
      spec: { containers: [{ name: "ray-job-submitter", command: ["/bin/bash"], args: ["-ce", script] }] },
      status: { phase: "Running", podIP: "10.0.0.5", containerStatuses: [{ name: "ray-job-submitter", ready: true }] },
    };

    it("is read out of its command line", () => {
      expect(submitCommand(submitter)).to.deep.equal({
        submissionId: "rj-abc",
        entrypoint: "python a.py --flag -- x",
        service: "c-head-svc.default.svc.cluster.local",
      });
    });

    it("submits once the head is Ready, and ends as the job ends", async () => {
      const patches: { name: string; status: object }[] = [];
      const patch = async (one: Pod, status: object) => void patches.push({ name: one.metadata.name, status });
      const submitters = new Submitters(directory, ray, patch, () => now);
      directory.setPod(submitter);
      await submitters.tick();
      directory.setService({
        metadata: { namespace: "default", name: "c-head-svc", uid: "s" },
        spec: { selector: { "ray.io/node-type": "head" } },
      });
      const head = pod({ annotations: { "simulate/job": "fail" } });
      directory.setPod(head);
      await submitters.tick();
      expect(ray.jobsOf(head).status("rj-abc", now)).to.equal("PENDING");
      expect(patches).to.deep.equal([]);
      now = 10_000;
      await submitters.tick();
      await submitters.tick();
      expect(patches).to.have.length(1);
      expect(patches[0]?.status).to.include({ phase: "Failed" });
    });
  });
});
