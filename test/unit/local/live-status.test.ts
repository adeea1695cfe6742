import { expect } from "chai";
import { LiveStatus } from "../../../src/local/live-status.ts";
import { statusCells } from "../../../src/local/status-line.ts";
import { columns } from "../../../src/local/table.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("the lines about Ray objects", () => {
  const object = (kind: string, status?: object, deletionTimestamp?: string) => ({
    apiVersion: "ray.io/v1",
    kind,
    metadata: { namespace: "default", name: "a", ...(deletionTimestamp ? { deletionTimestamp } : {}) },
    ...(status ? { status } : {}),
  });
  const dashboard = (ip: string) => `http://${ip}:8265`;

  it("say what a RayCluster is waiting for, and where its dashboard is when it is ready", () => {
    const failing = {
      desiredWorkerReplicas: 2,
      conditions: [
        { type: "ReplicaFailure", status: "True", reason: "FailedCreateWorkerPod", message: "quota\nexceeded" },
      ],
    };
    expect(statusCells(object("RayCluster"), dashboard)).to.deep.equal(["RayCluster default/a", "new", ""]);
    expect(statusCells(object("RayCluster", failing), dashboard)).to.deep.equal([
      "RayCluster default/a",
      "starting",
      "0/2 workers  quota exceeded",
    ]);
    const ready = { state: "ready", desiredWorkerReplicas: 2, readyWorkerReplicas: 2, head: { podIP: "10.0.0.1" } };
    expect(statusCells(object("RayCluster", ready), dashboard)[2]).to.equal("2/2 workers  http://10.0.0.1:8265");
    expect(statusCells(object("RayCluster", ready, "now"), dashboard)[1]).to.equal("deleting");
  });

  it("say how a RayJob and a RayService are", () => {
    const job = { jobDeploymentStatus: "Running", jobStatus: "PENDING" };
    expect(statusCells(object("RayJob", job), dashboard).slice(1)).to.deep.equal(["Running", "PENDING"]);
    const service = { serviceStatus: "Running", numServeEndpoints: 3 };
    expect(statusCells(object("RayService", service), dashboard).slice(1)).to.deep.equal(["Running", "3 endpoints"]);
  });

  it("come one a change where there is no terminal", () => {
    let text = "";
    const status = new LiveStatus({ write: (part) => (text += part) }, () => new Date(2026, 0, 1, 12, 0, 0));
    status.set("1", ["RayCluster default/a", "new"]);
    status.set("1", ["RayCluster default/a", "new"]);
    status.set("1", ["RayCluster default/a", "ready"]);
    status.remove("1");
    expect(text.trimEnd().split("\n")).to.deep.equal([
      "12:00:00  RayCluster default/a  new",
      "12:00:00  RayCluster default/a  ready",
      "12:00:00  RayCluster default/a  gone",
    ]);
  });

  it("are redrawn on a terminal, no more of them than it has room for", async () => {
    let text = "";
    const status = new LiveStatus({ isTTY: true, columns: 80, rows: 5, write: (part) => (text += part) });
    for (let i = 0; i < 9; i++) status.set(String(i), [`RayCluster default/${i}`, "new"]);
    await pause(150);
    expect(text.split("\n")).to.deep.equal([
      "RayCluster default/0  new",
      "RayCluster default/1  new",
      "and 7 more",
      "",
    ]);
    text = "";
    status.set("0", ["RayCluster default/0", "ready"]);
    await pause(150);
    expect(text.startsWith("\x1b[3A\x1b[JRayCluster default/0  ready\n")).to.equal(true);
    status.end();
  });

  it("align their columns", () => {
    expect(
      columns(
        [
          ["a", "bb", "c"],
          ["aaa", "b", ""],
        ],
        " ",
      ),
    ).to.deep.equal([" a    bb  c", " aaa  b"]);
  });
});
