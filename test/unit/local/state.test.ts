import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { identify, isAlive, type ProcessIdentity } from "../../../src/local/proc.ts";
import {
  endLeftovers,
  type InstanceState,
  isRunning,
  readState,
  recordEnd,
  writeState,
} from "../../../src/local/state.ts";

describe("the state of a local instance", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "state-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const state = (over: Partial<InstanceState>): InstanceState => ({
    name: "default",
    nodes: "none",
    processes: [],
    ...over,
  });

  it("is read as it was written", () => {
    const written = state({ apiPort: 4711, ranges: { pods: "10.243.0.0/16", services: "10.97.0.0/16" } });
    writeState(folder, written);
    expect(readState(folder)).to.deep.equal(written);
  });

  it("counts as none when the file is cut off", () => {
    writeFileSync(join(folder, "state.json"), '{"name": "defa');
    expect(readState(folder)).to.equal(undefined);
  });

  it("runs while its owner does, and not under a process that only has the owner's id", () => {
    const self = identify(process.pid) as ProcessIdentity;
    expect(isRunning(state({ owner: self }))).to.equal(true);
    expect(isRunning(state({ owner: { ...self, startTime: self.startTime - 1 } }))).to.equal(false);
    expect(isRunning(state({}))).to.equal(false);
    expect(isRunning(undefined)).to.equal(false);
  });

  it("keeps port and ranges for the next start when the instance has ended", () => {
    const ranges = { pods: "10.243.0.0/16", services: "10.97.0.0/16" };
    const self = identify(process.pid) as ProcessIdentity;
    writeState(
      folder,
      state({ owner: self, apiPort: 4711, ranges, ready: true, processes: [{ name: "etcd", ...self }] }),
    );
    recordEnd(folder);
    expect(readState(folder)).to.deep.equal(state({ apiPort: 4711, ranges, ready: false }));
  });

  it("names what is to be ended, and spares a process that has got the id of one that is gone", async () => {
    const left = spawn("sleep", ["60"]);
    const stranger = spawn("sleep", ["60"]);
    try {
      const ours = identify(left.pid ?? 0) as ProcessIdentity;
      const other = identify(stranger.pid ?? 0) as ProcessIdentity;
      const ended = await endLeftovers(
        state({
          processes: [
            { name: "etcd", ...ours },
            { name: "kwok", pid: other.pid, startTime: other.startTime - 100 },
          ],
        }),
      );
      expect(ended).to.deep.equal(["etcd"]);
      expect(isAlive(ours)).to.equal(false);
      expect(isAlive(other)).to.equal(true);
    } finally {
      left.kill("SIGKILL");
      stranger.kill("SIGKILL");
    }
  });
});
