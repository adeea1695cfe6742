import { expect } from "chai";
import { Jobs, RayError } from "../../../src/local/simulated-ray/jobs.ts";

describe("simulated jobs", () => {
  const states = (jobs: Jobs, id: string, at: readonly number[]) => at.map((now) => jobs.status(id, now));

  it("go from PENDING to RUNNING to SUCCEEDED", () => {
    const jobs = new Jobs();
    const id = jobs.submit({ entrypoint: "python a.py" }, 0);
    expect(states(jobs, id, [0, 999, 1_000, 2_999, 3_000, 9_000])).to.deep.equal([
      "PENDING",
      "PENDING",
      "RUNNING",
      "RUNNING",
      "SUCCEEDED",
      "SUCCEEDED",
    ]);
  });

  it("follow a script in the entrypoint, the metadata, the environment or the cluster", () => {
    const jobs = new Jobs();
    const last = (submission: object, script = "") =>
      jobs.status(jobs.submit({ entrypoint: "x", ...submission }, 0, script), 60_000);
    expect(last({ entrypoint: "python a.py # simulate:fail" })).to.equal("FAILED");
    expect(last({ metadata: { simulate: "forever" } })).to.equal("RUNNING");
    expect(last({ runtime_env: { env_vars: { SIMULATE: "stuck" } } })).to.equal("PENDING");
    expect(last({}, "fail")).to.equal("FAILED");
    expect(last({ metadata: { simulate: "running=30s" } }, "fail")).to.equal("SUCCEEDED");
    expect(last({ entrypoint: "python fail.py" })).to.equal("SUCCEEDED");
  });

  it("take the time that their script says", () => {
    const jobs = new Jobs();
    const id = jobs.submit({ entrypoint: "x", metadata: { simulate: "pending=5s,running=10s,fail" } }, 100);
    expect(states(jobs, id, [5_099, 5_100, 15_099, 15_100])).to.deep.equal(["PENDING", "RUNNING", "RUNNING", "FAILED"]);
  });

  it("are STOPPED for good when they are stopped before their end", () => {
    const jobs = new Jobs();
    const id = jobs.submit({ entrypoint: "x" }, 0);
    expect(jobs.stop(id, 1_500)).to.equal(true);
    expect(jobs.status(id, 60_000)).to.equal("STOPPED");
    expect(jobs.stop(id, 60_000)).to.equal(false);
  });

  it("are not stopped after their end", () => {
    const jobs = new Jobs();
    const id = jobs.submit({ entrypoint: "x" }, 0);
    expect(jobs.stop(id, 5_000)).to.equal(false);
    expect(jobs.status(id, 5_000)).to.equal("SUCCEEDED");
  });

  it("refuse an id that exists, with the words that submitters look for", () => {
    const jobs = new Jobs();
    jobs.submit({ entrypoint: "x", submission_id: "a" }, 0);
    expect(() => jobs.submit({ entrypoint: "x", submission_id: "a" }, 1))
      .to.throw(RayError, "Please use a different submission_id")
      .with.property("status", 500);
  });

  it("can be deleted only after their end, and are unknown then", () => {
    const jobs = new Jobs();
    const id = jobs.submit({ entrypoint: "x" }, 0);
    expect(() => jobs.delete(id, 0)).to.throw(RayError, "non-terminal");
    jobs.delete(id, 5_000);
    expect(() => jobs.details(id, 5_000))
      .to.throw(RayError)
      .with.property("status", 404);
  });

  it("carry the times that Ray reports", () => {
    const jobs = new Jobs();
    const id = jobs.submit({ entrypoint: "x", metadata: { a: "b" } }, 1_000);
    expect(jobs.details(id, 1_000)).to.include({ status: "PENDING", job_id: null, start_time: 1_000, end_time: null });
    expect(jobs.details(id, 9_000)).to.deep.include({ status: "SUCCEEDED", end_time: 4_000, metadata: { a: "b" } });
  });
});
