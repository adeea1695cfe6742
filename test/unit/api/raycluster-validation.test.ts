import { expect } from "chai";
import { defaultFeatureGates } from "../../../api/v1/feature-gates.ts";
import {
  adviseRayCluster,
  validateRayClusterMetadata,
  validateRayClusterSpec,
  validateRayClusterStatus,
  validateRayClusterUpdate,
  validateRayClusterUpgrade,
} from "../../../api/v1/validation/raycluster.ts";
import {
  acceptCases,
  autoscalerV2,
  autoscaling,
  check,
  cluster,
  ft,
  group,
  head,
  headEnv,
  headPod,
  v2ByEnv,
} from "./raycluster-cases.ts";
import { validCluster, withValue } from "./raycluster-fixtures.ts";

const dns1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

describe("a RayCluster's name", () => {
  const errors = (name: string) => validateRayClusterMetadata(withValue(validCluster(), "metadata.name", name));

  it("may have 53 characters, and no more", () => {
    expect(errors("c".repeat(53))).to.deep.equal([]);
    expect(errors("c".repeat(54))).to.deep.equal([
      { field: "metadata.name", message: "RayCluster name should be no more than 53 characters" },
    ]);
  });

  for (const name of ["1c", "c.d", "-c", "c-", "C", "c_d"]) {
    it(`is not "${name}", as it becomes the name of a Service`, () => {
      expect(errors(name)).to.deep.equal([
        { field: "metadata.name", message: `RayCluster name should be a valid DNS1035 label: [${dns1035}]` },
      ]);
    });
  }
});

describe("the spec of a RayCluster", () => {
  describe("is accepted", () => {
    acceptCases({
      "as it is in the example": { set: {} },
      "without workers": { set: { "spec.workerGroupSpecs": undefined } },
      "with a start parameter that has nothing to do with its resources": {
        set: { [`${head}.resources`]: { CPU: "1" }, [`${head}.rayStartParams`]: { "num-cpus": "", block: "true" } },
      },
      "with labels of every allowed form": {
        set: { [`${group}.labels`]: { a: "", "ray.io/market": "spot", "A.b_c-1": "x.Y_z-0" } },
      },
      "with an idle timeout of zero seconds under autoscaler v2": {
        set: { ...autoscalerV2, [`${group}.idleTimeoutSeconds`]: 0 },
      },
      "with an idle timeout where the head's environment asks for v2": {
        set: { ...autoscaling, ...v2ByEnv, [`${group}.idleTimeoutSeconds`]: 5 },
      },
      "with a priority under autoscaler v2 and a Ray that knows it": {
        set: { ...autoscalerV2, [`${group}.priority`]: 5 },
      },
      "with priority zero on any Ray": { set: { "spec.rayVersion": "nightly", [`${group}.priority`]: 0 } },
      "without bounds of a group when the autoscaler sets them": {
        set: { ...autoscaling, [`${group}.minReplicas`]: undefined },
      },
      "with fault tolerance through options": { set: { [ft]: { redisAddress: "redis:6379" } } },
      "with fault tolerance through the annotation and the head's environment": {
        set: {
          "metadata.annotations": { "ray.io/ft-enabled": "TRUE" },
          [`${headEnv}[0]`]: { name: "RAY_REDIS_ADDRESS", value: "redis:6379" },
        },
      },
      "with an embedded database and an existing claim": {
        set: { [ft]: { backend: "rocksdb", storage: { claimName: "mine", subPath: "a" } } },
      },
      "with a suspended group": { set: { [`${group}.suspend`]: true } },
      "with autoscaler v1 and workers that restart": {
        set: {
          ...autoscaling,
          "spec.autoscalerOptions.version": "v1",
          [`${group}.template.spec.restartPolicy`]: "Always",
        },
      },
      "with autoscaler v2 and pods that never restart": {
        set: { ...autoscalerV2, [`${headPod}.restartPolicy`]: "Never" },
      },
      "with tokens from 2.52.0 on": { set: { "spec.rayVersion": "2.52.0", "spec.authOptions.mode": "token" } },
      "with tokens that Kubernetes checks from 2.55.0 on": {
        set: { "spec.rayVersion": "2.55.0", "spec.authOptions": { mode: "token", enableK8sTokenAuth: true } },
      },
      "with disabled authentication on any Ray": {
        set: { "spec.rayVersion": "", "spec.authOptions.mode": "disabled" },
      },
      "with policy rules for a group that exists": {
        set: { "spec.networkPolicy": { workerGroups: [{ groupName: "small", ingressRules: [{}] }] } },
      },
      "with empty rules for the open direction": {
        set: { "spec.networkPolicy": { mode: "DenyAllEgress", head: { ingressRules: [] } } },
      },
      "with TLS": { set: { "spec.tlsOptions.enabled": true } },
    });
  });

  it("reports what the reference reports first, and the rest after it", () => {
    const errors = check({
      set: {
        [`${headPod}.containers`]: [],
        [`${group}.minReplicas`]: -1,
        [`${ft}.storage`]: {},
        "spec.authOptions.enableK8sTokenAuth": true,
      },
    });
    expect(errors.map(({ field }) => field)).to.deep.equal([
      `${headPod}.containers`,
      `${group}.minReplicas`,
      `${ft}.storage`,
      "spec.authOptions.enableK8sTokenAuth",
    ]);
  });

  it("is judged by the default gates as in the reference", () => {
    const errors = validateRayClusterSpec(
      cluster({ "spec.networkPolicy": {}, "spec.tlsOptions": {}, "spec.historyServerOptions": {} }),
      defaultFeatureGates,
    );
    expect(errors.filter(({ message }) => message.includes("feature gate")).map(({ field }) => field)).to.deep.equal([
      "spec.historyServerOptions",
      "spec.networkPolicy",
      "spec.tlsOptions",
    ]);
  });
});

describe("the upgrade strategy of a RayCluster", () => {
  const errors = (type: string | undefined, owner?: string) =>
    validateRayClusterUpgrade(
      cluster({
        "spec.upgradeStrategy": type === undefined ? {} : { type },
        "metadata.labels": owner === undefined ? {} : { "ray.io/originated-from-crd": owner },
      }),
    );

  it("is Recreate, None or nothing", () => {
    for (const type of ["Recreate", "None", undefined]) expect(errors(type)).to.deep.equal([]);
    expect(errors("Rolling")[0]).to.deep.equal({
      field: "spec.upgradeStrategy.type",
      message: "Spec.UpgradeStrategy.Type value Rolling is invalid, valid options are Recreate or None",
    });
  });

  it("is not set, not even to None, where a RayJob or RayService owns the cluster", () => {
    for (const owner of ["RayJob", "RayService"]) {
      expect(errors("None", owner)).to.have.length(1);
      expect(errors(undefined, owner)).to.deep.equal([]);
    }
    expect(errors("Recreate", "RayCluster")).to.deep.equal([]);
    expect(errors("Recreate", "SomethingElse")).to.deep.equal([]);
  });
});

describe("the stored status of a RayCluster", () => {
  const condition = (type: string, status: string) => ({ type, status });

  it("is not suspending and suspended at once", () => {
    const both = cluster({
      "status.conditions": [condition("RayClusterSuspending", "True"), condition("RayClusterSuspended", "True")],
    });
    expect(validateRayClusterStatus(both).map(({ field }) => field)).to.deep.equal(["status.conditions"]);
    const one = cluster({
      "status.conditions": [condition("RayClusterSuspending", "False"), condition("RayClusterSuspended", "True")],
    });
    expect(validateRayClusterStatus(one)).to.deep.equal([]);
    expect(validateRayClusterStatus(validCluster())).to.deep.equal([]);
  });
});

describe("advice about a RayCluster", () => {
  const restarting = { [`${group}.template.spec.restartPolicy`]: "Always" };
  const advice = (set: Record<string, unknown>) => adviseRayCluster(cluster(set), defaultFeatureGates);

  it("names the groups that restart under autoscaler v1", () => {
    const found = advice({ ...autoscaling, "spec.autoscalerOptions.version": "v1", ...restarting });
    expect(found?.message).to.match(/autoscaler v1.*: small$/);
    expect(found?.field).to.equal(`${group}.template.spec.restartPolicy`);
  });

  it("is not given without autoscaling, for other versions, or for pods that never restart", () => {
    expect(advice({ "spec.autoscalerOptions.version": "v1", ...restarting })).to.equal(undefined);
    expect(advice({ ...autoscaling, ...restarting })).to.equal(undefined);
    expect(advice({ ...autoscaling, "spec.autoscalerOptions.version": "v1" })).to.equal(undefined);
  });
});

describe("an update of a RayCluster", () => {
  const update = (before: object, after: object) => validateRayClusterUpdate(before, after).map(({ field }) => field);

  it("does not change who manages it, nor where the head keeps its state", () => {
    expect(update({ managedBy: "a" }, { managedBy: "b" })).to.deep.equal(["spec.managedBy"]);
    const redis = { gcsFaultToleranceOptions: { backend: "redis" } };
    const rocksdb = { gcsFaultToleranceOptions: { backend: "rocksdb" } };
    expect(update(redis, rocksdb)).to.deep.equal(["spec.gcsFaultToleranceOptions.backend"]);
  });

  it("may set or remove both, as under the CRD's rules", () => {
    expect(update({}, { managedBy: "b" })).to.deep.equal([]);
    expect(update({ managedBy: "a" }, {})).to.deep.equal([]);
    expect(update({ gcsFaultToleranceOptions: { backend: "redis" } }, { gcsFaultToleranceOptions: {} })).to.deep.equal(
      [],
    );
  });
});
