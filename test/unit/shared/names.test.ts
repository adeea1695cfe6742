import { expect } from "chai";
import fc from "fast-check";
import type { RayCluster } from "../../../api/v1/raycluster.ts";
import {
  authSecretName,
  autoscalerServiceAccountName,
  checkLabel,
  checkName,
  checkRouteName,
  drawHeadPodName,
  drawReplicaName,
  drawWorkerPodName,
  headServiceHost,
  headServiceName,
  ingressName,
  redisCleanupJobName,
  routeName,
  SUFFIX_ALPHABET,
  suffixFrom,
  workerPodPrefix,
} from "../../../controllers/shared/names.ts";
import { defaultSettings } from "../../../controllers/shared/settings.ts";

/** 53 characters: the longest name of a RayCluster. */
const LONG = "team-alpha-nightly-training-run-on-shared-gpu-pool-01";
const drawSuffix = () => "x7k2p";

function cluster(name: string, spec: object = {}): RayCluster {
  const containers = [{ name: "ray", image: "rayproject/ray:2.52.0" }];
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name, namespace: "ml", uid: "u" },
    spec: { headGroupSpec: { template: { spec: { containers } } }, ...spec },
  };
}

describe("Names", () => {
  it("keep their last 50 characters, and begin with a letter", () => {
    expect(checkName(LONG)).to.equal("m-alpha-nightly-training-run-on-shared-gpu-pool-01");
    expect(ingressName(cluster(LONG))).to.equal("ly-training-run-on-shared-gpu-pool-01-head-ingress");
    expect(checkName("72fbcc7e-a661-4b18e-ca41-e903-fc3ae634b18e-lazer090scholar-director-s")).to.equal(
      "rca41-e903-fc3ae634b18e-lazer090scholar-director-s",
    );
    expect(checkName("-abc")).to.equal("rabc");
    expect(checkName("a")).to.equal("a");
  });

  it("of labels and jobs keep their last 63 characters, and may begin with a digit", () => {
    expect(redisCleanupJobName(cluster(LONG))).to.equal(
      "ralpha-nightly-training-run-on-shared-gpu-pool-01-redis-cleanup",
    );
    expect(checkLabel("1-head")).to.equal("1-head");
  });

  it("of Routes leave room for the namespace", () => {
    expect(checkRouteName("vision-research-head-route", "platform-engineering-team-eu")).to.equal(
      "vision-research-head-ro",
    );
    expect(checkRouteName("2-step-cv-training-network-revisited", "development-namespace")).to.equal(
      "r-step-cv-training-network-rev",
    );
    expect(routeName({ ...cluster("c"), metadata: { name: "c", namespace: "n".repeat(63) } })).to.equal("c");
  });

  it("of pods are cut in front of their kind, in lower case, and fit the API server's limit", () => {
    expect(workerPodPrefix(cluster(LONG), "GPU")).to.equal(
      "team-alpha-nightly-training-run-on-shared-gpu-pool-worker-",
    );
    expect(drawWorkerPodName(cluster(LONG), "GPU", drawSuffix)).to.equal(
      "team-alpha-nightly-training-run-on-shared-gpu-pool-worker-x7k2p",
    );
    expect(drawHeadPodName(cluster("demo"), defaultSettings(), drawSuffix)).to.equal("demo-head-x7k2p");
    expect(drawReplicaName("v6e-16", drawSuffix)).to.equal("v6e-16-x7k2p");
  });

  it("of heads can be fixed by the operator's setting, else by the template", () => {
    const named = cluster("demo");
    named.spec.headGroupSpec.template.metadata = { name: "mine" };
    expect(drawHeadPodName(named, defaultSettings(), drawSuffix)).to.equal("mine");
    const deterministic = defaultSettings({ enableDeterministicHeadPodName: true });
    expect(drawHeadPodName(named, deterministic, drawSuffix)).to.equal("demo-head");
  });

  it("of the head service, account and Secret are the user's where given", () => {
    const own = cluster("demo");
    expect(headServiceName(own)).to.equal("demo-head-svc");
    expect(headServiceHost(own, defaultSettings({ clusterDomain: "k8s.example" }))).to.equal(
      "demo-head-svc.ml.svc.k8s.example",
    );
    expect(autoscalerServiceAccountName(own)).to.equal("demo");
    own.spec.headGroupSpec.headService = { metadata: { name: "front" } };
    own.spec.headGroupSpec.template.spec!.serviceAccountName = "robot";
    own.spec.authOptions = { mode: "token", secretName: "token" };
    expect(headServiceName(own)).to.equal("front");
    expect(autoscalerServiceAccountName(own)).to.equal("robot");
    expect(authSecretName(own)).to.equal("token");
  });

  it("end in five characters of the API server's alphabet", () => {
    const draws: number[] = [];
    const draw = suffixFrom((bound) => {
      draws.push(bound);
      return draws.length - 1;
    });
    expect(draw()).to.equal("bcdfg");
    expect(draws).to.deep.equal(Array.from({ length: 5 }, () => SUFFIX_ALPHABET.length));
  });

  it("are at most 50 characters and DNS labels for every valid cluster", () => {
    const label = fc.stringMatching(/^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$/);
    fc.assert(
      fc.property(label, (name) => {
        for (const made of [checkName(name), ingressName(cluster(name)), redisCleanupJobName(cluster(name))]) {
          expect(made).to.match(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        }
        expect(ingressName(cluster(name)).length).to.be.at.most(50);
      }),
    );
  });
});
