import { expect } from "chai";
import { RayError } from "../../../src/local/simulated-ray/jobs.ts";
import { Serve } from "../../../src/local/simulated-ray/serve.ts";

interface Details {
  readonly applications: Record<string, { status: string; deployments: Record<string, { status: string }> }>;
}

describe("simulated Serve", () => {
  const statusOf = (serve: Serve, now: number) =>
    Object.fromEntries(
      Object.entries((serve.details(now, []) as Details).applications).map(([name, one]) => [name, one.status]),
    );
  const app = (name: string, over: object = {}) => ({ name, route_prefix: `/${name}`, import_path: "a:b", ...over });

  it("deploys an application and then runs it", () => {
    const serve = new Serve();
    expect(serve.started).to.equal(false);
    serve.put({ applications: [app("a")] }, 0);
    expect(serve.started).to.equal(true);
    expect(statusOf(serve, 999)).to.deep.equal({ a: "DEPLOYING" });
    expect(statusOf(serve, 1_000)).to.deep.equal({ a: "RUNNING" });
  });

  it("follows the script of each application, else that of the cluster", () => {
    const serve = new Serve();
    const applications = [
      app("a", { args: { simulate: "unhealthy" } }),
      app("b", { runtime_env: { env_vars: { SIMULATE: "forever" } } }),
      app("c"),
    ];
    serve.put({ applications }, 0, "fail");
    expect(statusOf(serve, 60_000)).to.deep.equal({ a: "UNHEALTHY", b: "DEPLOYING", c: "DEPLOY_FAILED" });
  });

  it("leaves an application alone whose config is put again, deploys a changed one, drops a missing one", () => {
    const serve = new Serve();
    serve.put({ applications: [app("same"), app("changed"), app("dropped")] }, 0);
    serve.put({ applications: [app("same"), app("changed", { args: { x: 1 } })] }, 5_000);
    expect(statusOf(serve, 5_500)).to.deep.equal({ same: "RUNNING", changed: "DEPLOYING" });
  });

  it("routes by the longest prefix, and only to what runs", () => {
    const serve = new Serve();
    serve.put({ applications: [app("root", { route_prefix: "/" }), app("a")] }, 0);
    expect(serve.route("/a/b", 500)).to.equal(undefined);
    expect(serve.route("/a/b", 2_000)).to.equal("a");
    expect(serve.route("/ab", 2_000)).to.equal("root");
  });

  it("refuses a config without import path", () => {
    expect(() => new Serve().put({ applications: [{ name: "a" }] }, 0)).to.throw(RayError, "import_path");
  });
});
