import { expect } from "chai";
import type { RayClusterSpec } from "../../../api/v1/raycluster.ts";
import { goFields } from "../../../controllers/shared/generated/go-fields.ts";
import { goEncode } from "../../../controllers/shared/go-encode.ts";
import { canonicalSpec, specHash } from "../../../controllers/shared/spec-hash.ts";

function spec(change: (draft: RayClusterSpec) => void = () => {}): RayClusterSpec {
  const container = (name: string, limits: Record<string, string>, requests: Record<string, string>) => ({
    name,
    image: "rayproject/ray:2.52.0",
    resources: { limits, requests },
  });
  const head = container("ray-head", { memory: "2Gi", cpu: "1" }, { cpu: "1000m", memory: "2048Mi" });
  const worker = container("ray-worker", { cpu: "1500m", memory: "1Gi" }, { cpu: "500m", memory: "1Gi" });
  const draft: RayClusterSpec = {
    rayVersion: "2.52.0",
    headGroupSpec: { rayStartParams: {}, template: { spec: { containers: [head] } } },
    workerGroupSpecs: [
      { groupName: "small", replicas: 1, minReplicas: 1, maxReplicas: 5, template: { spec: { containers: [worker] } } },
    ],
  };
  change(draft);
  return draft;
}

describe("The hash of a spec", () => {
  it("is the one that KubeRay computes", () => {
    expect(canonicalSpec(spec())).to.equal(
      '{"headGroupSpec":{"template":{"metadata":{},"spec":{"containers":[{"name":"ray-head","image":"rayproject/ray:2.52.0","resources":{"limits":{"cpu":"1","memory":"2Gi"},"requests":{"cpu":"1","memory":"2Gi"}}}]}},"rayStartParams":{}},"rayVersion":"2.52.0","workerGroupSpecs":[{"groupName":"small","minReplicas":null,"maxReplicas":null,"priority":0,"rayStartParams":{},"template":{"metadata":{},"spec":{"containers":[{"name":"ray-worker","image":"rayproject/ray:2.52.0","resources":{"limits":{"cpu":"1500m","memory":"1Gi"},"requests":{"cpu":"500m","memory":"1Gi"}}}]}},"scaleStrategy":{},"numOfHosts":1}]}',
    );
    expect(specHash(spec())).to.equal("FK8AFGQV7PMAQN07REVGPGJOMTPITMLO");
  });

  const ignored: [string, (draft: RayClusterSpec) => void][] = [
    [
      "scaling",
      (draft) => Object.assign(draft.workerGroupSpecs![0]!, { replicas: 9, minReplicas: 2, maxReplicas: 10 }),
    ],
    [
      "pods to delete",
      (draft) => Object.assign(draft.workerGroupSpecs![0]!, { scaleStrategy: { workersToDelete: ["a"] } }),
    ],
    ["the upgrade strategy", (draft) => Object.assign(draft, { upgradeStrategy: { type: "Recreate" } })],
    [
      "tolerations of the head",
      (draft) => Object.assign(draft.headGroupSpec.template.spec!, { tolerations: [{ key: "a" }] }),
    ],
    [
      "scheduling gates of workers",
      (draft) => Object.assign(draft.workerGroupSpecs![0]!.template.spec!, { schedulingGates: [{ name: "a" }] }),
    ],
    ["an empty list", (draft) => Object.assign(draft.headGroupSpec.template.spec!, { initContainers: [] })],
  ];
  for (const [what, change] of ignored) {
    it(`does not change with ${what}`, () => expect(specHash(spec(change))).to.equal(specHash(spec())));
  }

  const counted: [string, (draft: RayClusterSpec) => void][] = [
    ["an image", (draft) => Object.assign(draft.headGroupSpec.template.spec!.containers[0]!, { image: "other" })],
    ["suspension", (draft) => Object.assign(draft, { suspend: false })],
    [
      "a node selector",
      (draft) => Object.assign(draft.workerGroupSpecs![0]!.template.spec!, { nodeSelector: { a: "b" } }),
    ],
    ["hosts of a replica", (draft) => Object.assign(draft.workerGroupSpecs![0]!, { numOfHosts: 2 })],
    ["a priority", (draft) => Object.assign(draft.workerGroupSpecs![0]!, { priority: 1 })],
    ["autoscaler options", (draft) => Object.assign(draft, { autoscalerOptions: { idleTimeoutSeconds: 60 } })],
    [
      "a group more",
      (draft) => draft.workerGroupSpecs!.push({ groupName: "b", template: { spec: { containers: [] } } }),
    ],
  ];
  for (const [what, change] of counted) {
    it(`changes with ${what}`, () => expect(specHash(spec(change))).not.to.equal(specHash(spec())));
  }

  it("leaves the spec as it was", () => {
    const before = JSON.stringify(spec());
    const given = spec();
    specHash(given);
    expect(JSON.stringify(given)).to.equal(before);
  });
});

describe("Go's JSON", () => {
  const encode = (type: string, value: object) => goEncode(goFields, type, value);

  // Each right side is what encoding/json makes of the struct in k8s.io/api v0.36.0.
  const cases: [string, string, object, string][] = [
    ["writes fields in the struct's order", "EnvVar", { value: "b", name: "a" }, '{"name":"a","value":"b"}'],
    ["writes structs even when empty", "PodTemplateSpec", {}, '{"metadata":{},"spec":{"containers":null}}'],
    ["writes targetPort 0 of a port", "ServicePort", { port: 1, nodePort: 0 }, '{"port":1,"targetPort":0}'],
    [
      "keeps false behind a pointer",
      "PodSpec",
      { containers: [], hostNetwork: false, enableServiceLinks: false },
      '{"containers":[],"enableServiceLinks":false}',
    ],
    [
      "sorts maps and escapes markup",
      "EnvVarSource",
      { configMapKeyRef: { name: "a<b>&c", key: "" } },
      '{"configMapKeyRef":{"name":"a\\u003cb\\u003e\\u0026c","key":""}}',
    ],
    [
      "writes quantities in canonical form",
      "ResourceFieldSelector",
      { resource: "limits.cpu", divisor: "1000m" },
      '{"resource":"limits.cpu","divisor":"1"}',
    ],
    [
      "writes a missing divisor as 0",
      "ResourceFieldSelector",
      { resource: "limits.cpu" },
      '{"resource":"limits.cpu","divisor":"0"}',
    ],
    [
      "puts inlined structs in place",
      "Probe",
      { periodSeconds: 5, exec: { command: ["a"] } },
      '{"exec":{"command":["a"]},"periodSeconds":5}',
    ],
    ["leaves out what the struct does not know", "EnvVar", { name: "a", colour: "red" }, '{"name":"a"}'],
  ];
  for (const [title, type, value, expected] of cases) it(title, () => expect(encode(type, value)).to.equal(expected));
});
