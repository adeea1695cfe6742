import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { comingFeatures } from "../../../src/cli/coming-features.ts";
import { UserError } from "../../../src/cli/errors.ts";
import { parseOperatorFlags } from "../../../src/cli/flags.ts";
import { loadOptions } from "../../../src/cli/options.ts";

describe("the operator's options", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "options-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const load = (args: string[], environment: Record<string, string> = {}) =>
    loadOptions(parseOperatorFlags(args), environment);
  const withFile = (content: string, args: string[] = [], environment: Record<string, string> = {}) => {
    const path = join(folder, "config.yaml");
    writeFileSync(path, `apiVersion: config.ray.io/v1alpha1\nkind: Configuration\n${content}`);
    return load([`--config=${path}`, ...args], environment);
  };

  it("are KubeRay's defaults when nothing is given, but for the rate limit and the concurrency", () => {
    const { options, warnings } = load([]);
    expect(options).to.deep.include({
      metricsAddress: ":8080",
      probeAddress: ":8082",
      watchNamespaces: [],
      enableMetrics: false,
      useKubernetesProxy: false,
      batchScheduler: undefined,
      qps: undefined,
      burst: undefined,
      reconcileConcurrency: 32,
    });
    expect(options.leaderElection).to.deep.equal({
      enabled: true,
      namespace: undefined,
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
    });
    expect(options.log).to.deep.include({ encoder: "json", fileEncoder: "json", level: "info", sampling: true });
    expect(warnings).to.deep.equal([]);
  });

  it("come from the file where no flag is given", () => {
    const { options } = withFile(
      [
        "metricsAddr: ':9090'",
        "probeAddr: ''",
        "enableLeaderElection: false",
        "reconcileConcurrency: 3",
        "watchNamespace: a,b",
        "qps: 50.5",
        "burst: 60",
        "enableMetrics: true",
        "defaultPodLabels: { team: ml }",
        "defaultContainerEnvs: [{ name: A, value: b }]",
        "headSidecarContainers: [{ name: logs, image: fluentbit }]",
      ].join("\n"),
    );
    expect(options).to.deep.include({
      metricsAddress: ":9090",
      probeAddress: undefined,
      reconcileConcurrency: 3,
      watchNamespaces: ["a", "b"],
      qps: 50.5,
      burst: 60,
      enableMetrics: true,
    });
    expect(options.leaderElection.enabled).to.equal(false);
    expect(options.settings.defaultPodLabels).to.deep.equal({ team: "ml" });
    expect(options.settings.defaultContainerEnvs).to.deep.equal([{ name: "A", value: "b" }]);
    expect(options.settings.headSidecarContainers).to.deep.equal([{ name: "logs", image: "fluentbit" }]);
  });

  it("come from a flag that contradicts the file, with a warning", () => {
    const { options, warnings } = withFile("enableMetrics: true\nqps: 5", ["--enable-metrics=false", "--qps=5"]);
    expect(options.enableMetrics).to.equal(false);
    expect(warnings).to.deep.equal(["--enable-metrics wins over enableMetrics of the configuration file"]);
  });

  it("take the log encoders from the file, which KubeRay forgets to read", () => {
    const { options } = withFile("logStdoutEncoder: console\nlogFileEncoder: console\nlogFile: /tmp/x.log");
    expect(options.log).to.deep.include({ encoder: "console", fileEncoder: "console", filePath: "/tmp/x.log" });
  });

  it("take the deletion switch from the file unless the environment has it", () => {
    const content = "deleteRayJobAfterJobFinishes: true";
    expect(withFile(content).options.settings.deleteRayJobAfterJobFinishes).to.equal(true);
    const decided = withFile(content, [], { DELETE_RAYJOB_CR_AFTER_JOB_FINISHES: "false" });
    expect(decided.options.settings.deleteRayJobAfterJobFinishes).to.equal(false);
  });

  it("warn about an unknown field of the file, and refuse it when asked to", () => {
    expect(withFile("reconcileConcurency: 5").warnings).to.deep.equal([
      "unknown field reconcileConcurency in the configuration file",
    ]);
    expect(() => withFile("reconcileConcurency: 5", ["--strict-config"])).to.throw(UserError, "reconcileConcurency");
  });

  const wrongFiles: [string, string][] = [
    ["burst: 1.5", "burst: expected a whole number, found 1.5"],
    ["reconcileConcurrency: true", "reconcileConcurrency: expected a whole number, found true"],
    ["enableMetrics: 'yes'", 'enableMetrics: expected true or false, found "yes"'],
    ["metricsAddr: [8080]", "metricsAddr: expected a string, found a list"],
    ["defaultPodLabels: { a: 1 }", 'defaultPodLabels["a"]: expected a string, found 1'],
    ["workerSidecarContainers: [{ image: x }]", "workerSidecarContainers[0].name: expected a string, found nothing"],
    ["defaultContainerEnvs: { A: b }", "defaultContainerEnvs: expected a list, found a map"],
    ["logStdoutEncoder: xml", 'log stdout encoder must be json or console, found "xml"'],
    ["qps: [", "config.yaml: "],
  ];
  for (const [content, message] of wrongFiles) {
    it(`refuse the file "${content}", naming the field`, () => {
      expect(() => withFile(content)).to.throw(UserError, message);
    });
  }

  it("refuse a file of another kind and a file that is not there", () => {
    const path = join(folder, "other.yaml");
    writeFileSync(path, "apiVersion: v1\nkind: ConfigMap\n");
    expect(() => load([`--config=${path}`])).to.throw(UserError, "apiVersion: expected config.ray.io/v1alpha1");
    expect(() => load(["--config=/nowhere.yaml"])).to.throw(UserError, "cannot read the configuration file");
  });

  it("take a configuration file in JSON", () => {
    const path = join(folder, "config.json");
    writeFileSync(path, JSON.stringify({ kind: "Configuration", qps: 7, batchScheduler: null }));
    expect(load([`--config=${path}`]).options).to.deep.include({ qps: 7, burst: 14 });
  });

  const namespaces: [string, string[]][] = [
    ["", []],
    ["a", ["a"]],
    ["a,b", ["a", "b"]],
    ["a, b", ["a", "b"]],
    ["a,", ["a"]],
    [" a , a,b ", ["a", "b"]],
  ];
  for (const [value, expected] of namespaces) {
    it(`watch ${expected.join(" and ") || "all namespaces"} for --watch-namespace="${value}"`, () => {
      expect(load([`--watch-namespace=${value}`]).options.watchNamespaces).to.deep.equal(expected);
    });
  }

  const refused: [string, string][] = [
    ["--watch-namespace=Team_A", 'watch namespace "Team_A" is not a valid namespace name'],
    ["--reconcile-concurrency=-1", "reconcile concurrency must not be negative, found -1"],
    ["--burst=-1", "burst must not be negative, found -1"],
    ["--metrics-addr=8080", 'metrics address "8080" is not host:port'],
    ["--metrics-addr=:99999", 'metrics address ":99999" is not host:port'],
    ["--log-stdout-encoder=xml", 'log stdout encoder must be json or console, found "xml"'],
    ["--batch-scheduler=default", "batch scheduler must be one of"],
    ["--batch-scheduler=volcano --enable-batch-scheduler", "both enable-batch-scheduler"],
    ["--feature-gates=KubernetesWAS=true --batch-scheduler=volcano", "the gate KubernetesWAS chooses"],
    ["--feature-gates=Nope=true", "--feature-gates: unrecognized feature gate: Nope"],
    ["--leader-election-renew-deadline=20s", "leader election needs lease duration > renew deadline"],
  ];
  for (const [line, message] of refused) {
    it(`refuse ${line}`, () => {
      expect(() => load(line.split(" "))).to.throw(UserError, message);
    });
  }

  const levels: [string[], string][] = [
    [[], "info"],
    [["--zap-devel"], "debug"],
    [["--zap-log-level=debug"], "debug"],
    [["--zap-log-level=5"], "debug"],
    [["--zap-log-level=ERROR"], "error"],
    [["--zap-log-level=panic"], "error"],
    [["--zap-devel", "--zap-log-level=info"], "info"],
  ];
  for (const [args, level] of levels) {
    it(`log at level ${level} for "${args.join(" ")}"`, () => {
      expect(load(args).options.log.level).to.equal(level);
    });
  }

  it("turn the servers off by 0", () => {
    const { options } = load(["--metrics-addr=0", "--health-probe-bind-address=0"]);
    expect([options.metricsAddress, options.probeAddress]).to.deep.equal([undefined, undefined]);
  });

  it("say which flags have no effect", () => {
    expect(load(["--forced-cluster-upgrade", "--zap-encoder=json", "false"]).warnings).to.have.lengthOf(3);
  });

  it("say which features are still to come, and only for those that are asked for", () => {
    const { options } = load(["--feature-gates=RayCronJob=true", "--batch-scheduler=yunikorn"]);
    expect(comingFeatures(options, {})).to.have.lengthOf(2);
    expect(comingFeatures(load([]).options, {})).to.deep.equal([]);
    expect(comingFeatures(load([]).options, { ENABLE_WEBHOOKS: "true" })).to.have.lengthOf(1);
  });
});
