import { expect } from "chai";
import { describeFlags, flagDefinitions, parseOperatorFlags } from "../../../src/cli/flags.ts";
import { argumentsOfRun } from "../../../src/cli/program.ts";

/** The names of operator.md section 2. */
const kuberayFlags = [
  "metrics-addr",
  "health-probe-bind-address",
  "enable-leader-election",
  "leader-election-namespace",
  "reconcile-concurrency",
  "watch-namespace",
  "forced-cluster-upgrade",
  "log-file-path",
  "log-file-encoder",
  "log-stdout-encoder",
  "enable-batch-scheduler",
  "batch-scheduler",
  "config",
  "use-kubernetes-proxy",
  "feature-gates",
  "enable-metrics",
  "qps",
  "burst",
  "kubeconfig",
  "zap-devel",
  "zap-encoder",
  "zap-log-level",
  "zap-stacktrace-level",
  "zap-time-encoding",
];

describe("the operator's flags", () => {
  it("include every flag of KubeRay", () => {
    expect(flagDefinitions.map(({ name }) => name)).to.include.members(kuberayFlags);
  });

  it("are all described in the help", () => {
    for (const { name } of flagDefinitions) expect(describeFlags()).to.contain(`--${name}`);
  });

  it("take the command line of the conformance recorder", () => {
    const line =
      "--use-kubernetes-proxy --enable-leader-election=false --enable-metrics --feature-gates=RayCronJob=true,RayClusterNetworkPolicy=true,GCSFaultToleranceEmbeddedStorage=true,RayClusterHistoryServer=true";
    expect(parseOperatorFlags(line.split(" "))).to.deep.equal({
      flags: {
        "use-kubernetes-proxy": true,
        "enable-leader-election": false,
        "enable-metrics": true,
        "feature-gates":
          "RayCronJob=true,RayClusterNetworkPolicy=true,GCSFaultToleranceEmbeddedStorage=true,RayClusterHistoryServer=true",
      },
      ignored: [],
    });
  });

  it("take the command line of the scale benchmark", () => {
    const line = "--kubeconfig /tmp/operator.kubeconfig --enable-leader-election=false";
    expect(parseOperatorFlags(line.split(" ")).flags).to.deep.equal({
      kubeconfig: "/tmp/operator.kubeconfig",
      "enable-leader-election": false,
    });
  });

  it("take the arguments that KubeRay's chart writes, an empty list of gates included", () => {
    const line = [
      ...["--enable-batch-scheduler", "--batch-scheduler=volcano", "--watch-namespace", "a,b"],
      ...["--log-file-path", "/var/log/operator.log", "--log-stdout-encoder", "json", "--log-file-encoder", "json"],
      ...["--use-kubernetes-proxy=true", "--enable-leader-election=true", "--enable-metrics=true"],
      ...["--reconcile-concurrency=1", "--qps=100", "--burst=200", ""],
    ];
    const { flags, ignored } = parseOperatorFlags(line);
    expect(flags).to.include({ "watch-namespace": "a,b", "reconcile-concurrency": 1, qps: 100, burst: 200 });
    expect(ignored).to.deep.equal([]);
  });

  it("name the words after the last flag, which have no effect", () => {
    const { flags, ignored } = parseOperatorFlags(["--enable-leader-election", "false", "--qps=5"]);
    expect(flags).to.deep.equal({ "enable-leader-election": true });
    expect(ignored).to.deep.equal(["false", "--qps=5"]);
  });

  for (const level of ["debug", "INFO", "error", "panic", "5"]) {
    it(`take the log level ${level}`, () => {
      expect(parseOperatorFlags([`--zap-log-level=${level}`]).flags).to.deep.equal({ "zap-log-level": level });
    });
  }

  for (const level of ["0", "-1", "loud", ""]) {
    it(`refuse the log level "${level}"`, () => {
      expect(() => parseOperatorFlags([`--zap-log-level=${level}`])).to.throw("-zap-log-level: must be one of");
    });
  }
});

describe("the command that a command line means", () => {
  it("is run without a subcommand", () => {
    expect(argumentsOfRun("ray-operator", [])).to.deep.equal([]);
  });

  it("is run when the first word is a flag", () => {
    expect(argumentsOfRun("main.ts", ["-qps=5", "x"])).to.deep.equal(["-qps=5", "x"]);
  });

  it("is run when the program is called /manager, whatever follows", () => {
    expect(argumentsOfRun("manager", ["version"])).to.deep.equal(["version"]);
    expect(argumentsOfRun("manager", ["--help"])).to.deep.equal(["--help"]);
  });

  it("is run with the word run taken off", () => {
    expect(argumentsOfRun("ray-operator", ["run", "--qps=5"])).to.deep.equal(["--qps=5"]);
  });

  it("is another one for a subcommand and for --help", () => {
    expect(argumentsOfRun("ray-operator", ["plan", "-f", "x"])).to.equal(undefined);
    expect(argumentsOfRun("ray-operator", ["--help"])).to.equal(undefined);
  });
});
