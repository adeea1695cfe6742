import { expect } from "chai";
import type { RayCluster, RayClusterSpec } from "../../api/v1/raycluster.ts";
import { validateRayClusterUpdate } from "../../api/v1/validation/raycluster.ts";
import { validateRayClusterSchema, withRayClusterDefaults } from "../../api/v1/validation/schema.ts";
import type { Client } from "../../src/kube/client.ts";
import { ApiError } from "../../src/kube/errors.ts";
import { brokenClusters, validCluster, withValue } from "../unit/api/raycluster-fixtures.ts";
import { readSamples, refusedSamples } from "../unit/api/samples.ts";
import { type ControlPlane, startControlPlane } from "./support/control-plane.ts";

const crdFile = new URL("../../config/crd/bases/ray.io_rayclusters.yaml", import.meta.url).pathname;
const crdFolder = new URL("../../config/crd", import.meta.url).pathname;

/** What the API server made of an object: the object as stored, or why not. */
interface Verdict {
  readonly stored?: RayCluster;
  readonly code?: number;
  readonly message: string;
  readonly fields: readonly string[];
}

describe("the CRD of RayCluster on a real API server", () => {
  let controlPlane: ControlPlane;
  let client: Client;

  before(async () => {
    controlPlane = await startControlPlane();
    client = await controlPlane.client();
  });
  after(() => controlPlane?.stop());

  it("is applied by plain kubectl apply, twice, and established", async () => {
    expect(controlPlane.run("kubectl", ["apply", "-f", crdFile])).to.match(/rayclusters\.ray\.io created/);
    expect(controlPlane.run("kubectl", ["apply", "-k", crdFolder])).to.match(/rayclusters\.ray\.io unchanged/);
    await established();
  });

  it("has no part that the API server calls wrong or unused", async () => {
    const { body } = await client.raw({ method: "GET", path: crdPath });
    const conditions: { type: string; status: string }[] = JSON.parse(body.toString()).status.conditions;
    const wrong = conditions.filter(
      ({ type }) => type === "NonStructuralSchema" || type === "KubernetesAPIApprovalPolicyConformant",
    );
    expect(wrong).to.deep.equal([]);
  });

  it("explains itself", async () => {
    await until(async () => {
      const { body } = await client.raw({ method: "GET", path: "/openapi/v3" });
      return "apis/ray.io/v1" in JSON.parse(body.toString()).paths;
    });
    const explain = (field: string) => controlPlane.run("kubectl", ["explain", `raycluster.${field}`]);
    const groups = explain("spec.workerGroupSpecs");
    for (const text of ["groupName\t<string> -required-", "A replica is numOfHosts pods", "Needs autoscaler v2"]) {
      expect(groups.replaceAll(/\s+/g, " ")).to.include(text.replaceAll(/\s+/g, " "));
    }
    expect(explain("spec.gcsFaultToleranceOptions.backend")).to.match(/ENUM:\s+redis\s+rocksdb/);
    expect(explain("spec.headGroupSpec.template.spec.containers")).to.include("livenessProbe");
  });

  it("prints the columns that people and programs read", async () => {
    const table = await get("ray.io/v1", "", "application/json;as=Table;v=v1;g=meta.k8s.io");
    const columns = table.columnDefinitions.map(
      ({ name, priority }: { name: string; priority: number }) => `${name}/${priority}`,
    );
    expect(columns).to.deep.equal([
      "Name/0",
      "desired workers/0",
      "available workers/0",
      "cpus/0",
      "memory/0",
      "gpus/0",
      "tpus/1",
      "status/0",
      "age/0",
      "head pod IP/1",
      "head service IP/1",
    ]);
  });

  describe("accepts", () => {
    it("every sample strictly, and fills in what our defaults fill in", async function () {
      const samples = readSamples();
      if (samples === undefined) return this.skip();
      expect(samples.length).to.be.above(90);
      for (const { title, cluster } of samples) {
        const verdict = await create(
          { ...cluster, metadata: { ...cluster.metadata, namespace: "default" } },
          { strict: true },
        );
        const refused = refusedSamples[title];
        if (refused !== undefined) expect(verdict.fields, title).to.deep.equal([refused]);
        else {
          expect(verdict.message, title).to.equal("");
          expect(verdict.stored?.spec, title).to.deep.equal(withRayClusterDefaults(cluster).spec);
        }
      }
    });

    const alike: Readonly<Record<string, readonly [path: string, value: unknown]>> = {
      "the example": ["spec.suspend", false],
      "no spec": ["spec", undefined],
      "null for a field": ["spec.workerGroupSpecs[0].replicas", null],
      "null for a list": ["spec.workerGroupSpecs", null],
      "null in a map": ["spec.headGroupSpec.rayStartParams.block", null],
      "a number for a quantity": ["spec.headGroupSpec.template.spec.containers[0].resources.limits.cpu", 2],
      "a creation time in a template": ["spec.headGroupSpec.template.metadata.creationTimestamp", null],
      "an unknown field": ["spec.colour", "blue"],
      "an unknown field in a template": ["spec.headGroupSpec.template.spec.containers[0].colour", "blue"],
      "unknown metadata": ["metadata.colour", "blue"],
      "a nonsensical status": ["status", 5],
      "more replicas than 32 bits hold": ["spec.workerGroupSpecs[0].replicas", 3_000_000_000],
    };
    for (const [title, [path, value]] of Object.entries(alike)) {
      it(`${title} where we do, loosely and strictly`, async () => {
        const cluster = withValue(validCluster(), path, value);
        for (const strict of [false, true]) {
          const ours = validateRayClusterSchema(cluster, { unknownFields: strict ? "refuse" : "ignore" });
          const { stored, message } = await create(cluster, { strict });
          expect(ours.length === 0, `${message} against ${JSON.stringify(ours)}`).to.equal(stored !== undefined);
        }
      });
    }
  });

  describe("refuses, at the field that we name too,", () => {
    for (const { title, field, object } of brokenClusters()) {
      it(title, async () => {
        const { fields, code } = await create(object);
        expect(code).to.equal(422);
        expect(fields).to.include(field);
        // Only the API server adds which rules it could not run on what is wrong already.
        expect(validateRayClusterSchema(object).map((error) => error.field)).to.have.members(unique(fields));
      });
    }
  });

  describe("its rules about updates agree with ours:", () => {
    const backend = (value: string | undefined) =>
      value === undefined ? {} : { gcsFaultToleranceOptions: { backend: value } };
    const manager = (value: string | undefined) => (value === undefined ? {} : { managedBy: value });
    const cases = [
      ...pairs(undefined, "ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue").map(
        ([a, b]) => [manager(a), manager(b)] as const,
      ),
      ...pairs(undefined, "redis", "rocksdb").map(([a, b]) => [backend(a), backend(b)] as const),
    ];
    for (const [before, after] of cases) {
      it(`${JSON.stringify(before)} to ${JSON.stringify(after)}`, async () => {
        const ours = validateRayClusterUpdate(before as RayClusterSpec, after as RayClusterSpec);
        const created = await create(withSpec(before), { dryRun: false });
        const changed = { ...created.stored, spec: { ...validCluster().spec, ...after } };
        const { message, fields } = await send("PUT", "/valid?dryRun=All", changed);
        await client.raw({ method: "DELETE", path: `${collection("ray.io/v1")}/valid` });
        expect(fields).to.deep.equal(ours.map(({ field }) => field));
        for (const error of ours) expect(message).to.include(error.message);
      });
    }
  });

  describe("its status", () => {
    it("is written through the subresource only, and held to its schema there", async () => {
      const { stored } = await create(validCluster(), { dryRun: false });
      const condition = {
        type: "HeadPodReady",
        status: "True",
        reason: "Ready",
        message: "",
        lastTransitionTime: "2026-01-02T03:04:05Z",
      };
      const status = { desiredCPU: "2", head: {}, lastUpdateTime: null, conditions: [condition] };
      const unchanged = await send("PUT", "/valid", { ...stored, status });
      expect(unchanged.stored?.status).to.equal(undefined);
      const written = await send("PUT", "/valid/status", { ...stored, status });
      expect(written.stored?.status, written.message).to.deep.equal(status);
      const wrong = { ...status, conditions: [{ ...condition, reason: "not a word" }] };
      const refused = await send("PUT", "/valid/status", { ...written.stored, status: wrong });
      expect(refused.fields).to.deep.equal(["status.conditions[0].reason"]);
      await client.raw({ method: "DELETE", path: `${collection("ray.io/v1")}/valid` });
    });
  });

  describe("its version v1alpha1", () => {
    const newFields = {
      authOptions: { mode: "token" },
      managedBy: "ray.io/kuberay-operator",
      networkPolicy: { mode: "DenyAll" },
    };

    afterEach(() => client.raw({ method: "DELETE", path: `${collection("ray.io/v1")}/valid` }));

    it("warns that it is deprecated", async () => {
      await create(validCluster(), { dryRun: false });
      const { headers } = await client.raw({ method: "GET", path: `${collection("ray.io/v1alpha1")}/valid` });
      expect(String(headers.warning)).to.include("ray.io/v1alpha1 RayCluster is deprecated; use ray.io/v1 RayCluster");
    });

    it("loses nothing of a v1 object that is read and written through it", async () => {
      const cluster = withSpec(newFields);
      const { stored } = await create(withValue(cluster, "spec.workerGroupSpecs[0].idleTimeoutSeconds", 7), {
        dryRun: false,
      });
      const old = await get("ray.io/v1alpha1", "/valid");
      expect(old.spec).to.deep.equal(stored?.spec);
      const relabelled = { ...old, metadata: { ...old.metadata, labels: { through: "v1alpha1" } } };
      expect((await send("PUT", "/valid", relabelled, "ray.io/v1alpha1")).message).to.equal("");
      const now = await get("ray.io/v1", "/valid");
      expect(now.metadata.labels).to.deep.equal({ through: "v1alpha1" });
      expect(now.spec).to.deep.equal(stored?.spec);
    });

    it("gives v1 an object with v1's defaults", async () => {
      const old = { ...validCluster(), apiVersion: "ray.io/v1alpha1" };
      expect((await send("POST", "", old, "ray.io/v1alpha1")).message).to.equal("");
      const now = await get("ray.io/v1", "/valid");
      expect(now.spec).to.deep.equal(withRayClusterDefaults(validCluster()).spec);
    });

    it("asks for start parameters, and holds the fields that it knows to their types", async () => {
      await create(validCluster(), { dryRun: false });
      const old = (path: string, value: unknown) =>
        send(
          "POST",
          "?dryRun=All",
          withValue({ ...validCluster(), apiVersion: "ray.io/v1alpha1", metadata: { name: "old" } }, path, value),
          "ray.io/v1alpha1",
        );
      expect((await old("spec.headGroupSpec.rayStartParams", undefined)).fields).to.include(
        "spec.headGroupSpec.rayStartParams",
      );
      expect((await old("spec.workerGroupSpecs[0].replicas", "1")).fields).to.include(
        "spec.workerGroupSpecs[0].replicas",
      );
    });
  });

  const crdPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayclusters.ray.io";
  const collection = (version: string) => `/apis/${version}/namespaces/default/rayclusters`;

  function established(): Promise<void> {
    return until(async () => {
      const { body } = await client.raw({ method: "GET", path: crdPath });
      const conditions: { type: string; status: string }[] = JSON.parse(body.toString()).status?.conditions ?? [];
      if (!conditions.some(({ type, status }) => type === "Established" && status === "True")) return false;
      return client.raw({ method: "GET", path: collection("ray.io/v1") }).then(
        () => true,
        () => false,
      );
    });
  }

  /** Asks again until it is so; the test's time-out ends it. */
  async function until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  // biome-ignore lint/suspicious/noExplicitAny: objects and tables alike
  async function get(version: string, path: string, accept = "application/json"): Promise<any> {
    const { body } = await client.raw({ method: "GET", path: collection(version) + path, headers: { accept } });
    return JSON.parse(body.toString());
  }

  function create(object: unknown, { strict = false, dryRun = true } = {}): Promise<Verdict> {
    return send("POST", `?fieldValidation=${strict ? "Strict" : "Ignore"}${dryRun ? "&dryRun=All" : ""}`, object);
  }

  async function send(method: "POST" | "PUT", path: string, object: unknown, version = "ray.io/v1"): Promise<Verdict> {
    const headers = { "content-type": "application/json" };
    try {
      const answer = await client.raw({
        method,
        path: collection(version) + path,
        body: JSON.stringify(object),
        headers,
      });
      return {
        stored: JSON.parse(answer.body.toString()),
        message: "",
        fields: [],
      };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const fields = (error.details?.causes ?? []).map(({ field = "" }) => field).filter((field) => field !== "<nil>");
      return { code: error.code, message: error.message, fields };
    }
  }
});

function withSpec(fields: object): RayCluster {
  return { ...validCluster(), spec: { ...validCluster().spec, ...fields } };
}

function pairs<T>(...values: T[]): (readonly [T, T])[] {
  return values.flatMap((a) => values.map((b) => [a, b] as const));
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
