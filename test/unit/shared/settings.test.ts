import { expect } from "chai";
import { defaultSettings, settingsFromEnvironment } from "../../../controllers/shared/settings.ts";

describe("Settings from the environment", () => {
  it("are KubeRay's defaults when nothing is set", () => {
    const settings = defaultSettings();
    expect(settings.clusterDomain).to.equal("cluster.local");
    expect(settings.enableInitContainerInjection).to.equal(true);
    expect(settings.enableProbesInjection).to.equal(true);
    expect(settings.enableGcsFtRedisCleanup).to.equal(true);
    expect(settings.enableZeroDowntime).to.equal(true);
    expect(settings.enableLoginShell).to.equal(false);
    expect(settings.enableDeterministicHeadPodName).to.equal(false);
    expect(settings.enableRayHeadClusterIPService).to.equal(false);
    expect(settings.enableRandomPodDelete).to.equal(false);
    expect(settings.useIngressOnOpenShift).to.equal(false);
    expect(settings.requeueSeconds).to.equal(300);
    expect(settings.rayJobStatusCheckTimeoutSeconds).to.equal(300);
    expect(settings.featureGates.RayMultiHostIndexing).to.equal(true);
  });

  it("turn off only for the word false, in any case", () => {
    const on = (value: string) => settingsFromEnvironment({ ENABLE_PROBES_INJECTION: value }).enableProbesInjection;
    expect(["false", "FALSE", "0", "no", "", "true"].map(on)).to.deep.equal([false, false, true, true, true, true]);
  });

  it("turn on only for the word true, in any case", () => {
    const on = (value: string) => settingsFromEnvironment({ ENABLE_LOGIN_SHELL: value }).enableLoginShell;
    expect(["true", "True", "1", "yes", "", "false"].map(on)).to.deep.equal([true, true, false, false, false, false]);
  });

  it("take an empty cluster domain for none", () => {
    expect(settingsFromEnvironment({ CLUSTER_DOMAIN: "" }).clusterDomain).to.equal("cluster.local");
    expect(settingsFromEnvironment({ CLUSTER_DOMAIN: "k8s.example" }).clusterDomain).to.equal("k8s.example");
  });

  it("take numbers that do not parse for the default, and less than zero for no requeue", () => {
    const seconds = (value: string) =>
      settingsFromEnvironment({ RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV: value }).requeueSeconds;
    expect(["60", "0", "-5", "soon", "1.5", ""].map(seconds)).to.deep.equal([60, 0, 0, 300, 300, 300]);
    const timeout = (value: string) =>
      settingsFromEnvironment({ RAYJOB_STATUS_CHECK_TIMEOUT_SECONDS: value }).rayJobStatusCheckTimeoutSeconds;
    expect(["10", "0", "-1", "x"].map(timeout)).to.deep.equal([10, 300, 300, 300]);
  });
});
