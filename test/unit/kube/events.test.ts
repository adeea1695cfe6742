import { expect } from "chai";
import type { EventSpec } from "../../../src/kube/decision.ts";
import { ApiError } from "../../../src/kube/errors.ts";
import { cutNote, type EventRecorder, EventSink } from "../../../src/kube/events.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { MemoryApi, MemoryLog, pod, settled, VirtualClock } from "./support.ts";

interface Written extends KubeObject {
  note: string;
  series?: { count: number; lastObservedTime: string };
  [field: string]: unknown;
}

describe("the event recorder", () => {
  let api: MemoryApi;
  let clock: VirtualClock;
  let sink: EventSink;
  let recorder: EventRecorder;

  const regarding = pod("w", { uid: "uid-w", resourceVersion: "7" });
  const line = (note: string, more: Partial<EventSpec> = {}): EventSpec => ({
    ...{ type: "Normal", reason: "Created", action: "Create", note },
    ...more,
  });
  const written = () => [...api.objects.values()] as Written[];

  beforeEach(() => {
    api = new MemoryApi();
    clock = new VirtualClock();
    sink = new EventSink({ client: api, log: new MemoryLog(), clock, host: "host-1" });
    recorder = sink.recorder("raycluster");
  });

  it("writes an event of events.k8s.io/v1 with all that kubectl shows", async () => {
    recorder.emit(regarding, line("Created pod a"));
    await clock.advance(100);
    const [event] = written();
    expect(event?.metadata.name).to.match(/^w\.[0-9a-f]{15,16}$/);
    expect({ ...event, metadata: undefined }).to.deep.equal({
      ...{ apiVersion: "events.k8s.io/v1", kind: "Event", metadata: undefined },
      ...{ type: "Normal", reason: "Created", action: "Create", note: "Created pod a" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "raycluster-controller",
      reportingInstance: "raycluster-controller-host-1",
      regarding: { apiVersion: "v1", kind: "Pod", name: "w", namespace: "ns", uid: "uid-w", resourceVersion: "7" },
    });
  });

  it("makes equal lines of one moment one write that counts them, with the note of the first", async () => {
    for (let i = 0; i < 10; i++) recorder.emit(regarding, line(`Created pod ${i}`));
    await clock.advance(100);
    expect(api.requests.length).to.equal(1);
    expect(written()[0]).to.deep.include({
      note: "Created pod 0",
      series: { count: 10, lastObservedTime: "2026-01-01T00:00:00.000000Z" },
    });
  });

  it("keeps lines apart that differ in object, type, reason, action or controller", async () => {
    recorder.emit(regarding, line("x"));
    recorder.emit(pod("v", { uid: "uid-v" }), line("x"));
    recorder.emit(regarding, line("x", { type: "Warning" }));
    recorder.emit(regarding, line("x", { reason: "Deleted" }));
    recorder.emit(regarding, line("x", { action: "Delete" }));
    sink.recorder("rayjob").emit(regarding, line("x"));
    await clock.advance(100);
    expect(written().length).to.equal(6);
    expect(new Set(written().map((event) => event.metadata.name)).size).to.equal(6);
  });

  it("writes a later line with another note as an event of its own", async () => {
    recorder.emit(regarding, line("Created pod a"));
    await clock.advance(200);
    recorder.emit(regarding, line("Created pod b"));
    await clock.advance(200);
    expect(written().map((event) => event.note)).to.deep.equal(["Created pod a", "Created pod b"]);
  });

  it("patches repetitions into the series, ever more rarely", async () => {
    const patches: number[] = [];
    recorder.emit(regarding, line("x"));
    for (let second = 0; second < 120; second++) {
      await clock.advance(1_000);
      recorder.emit(regarding, line("x"));
      if (api.requested("patch").length > patches.length) patches.push(second);
    }
    expect(api.requested("create").length).to.equal(1);
    expect(patches).to.deep.equal([10, 30, 70]);
    expect(written()[0]?.series?.count).to.be.greaterThan(60);
  });

  it("begins a new event after six quiet minutes", async () => {
    recorder.emit(regarding, line("first"));
    await clock.advance(6 * 60_000);
    recorder.emit(regarding, line("second"));
    await clock.advance(100);
    expect(written().map(({ note }) => note)).to.deep.equal(["first", "second"]);
  });

  it("creates the event again when the API server has forgotten it", async () => {
    recorder.emit(regarding, line("x"));
    await clock.advance(100);
    api.objects.clear();
    recorder.emit(regarding, line("x"));
    await clock.advance(10_000);
    expect(written()[0]?.series?.count).to.equal(2);
  });

  it("cuts notes at 1,024 bytes, between characters", () => {
    expect(cutNote("a".repeat(1024))).to.equal("a".repeat(1024));
    expect(cutNote("a".repeat(2000))).to.equal("a".repeat(1024));
    expect(cutNote(`${"a".repeat(1022)}€`)).to.equal("a".repeat(1022));
    expect(cutNote(`${"a".repeat(1021)}€ and more`)).to.equal(`${"a".repeat(1021)}€`);
    expect(cutNote("🦀".repeat(300))).to.equal("🦀".repeat(256));
  });

  it("neither throws nor waits when the API server refuses an event", async () => {
    api.fault = () => ({ before: new ApiError(403, { reason: "Forbidden", message: "namespace is terminating" }) });
    recorder.emit(regarding, line("x"));
    await clock.advance(60_000);
    expect([api.requests.length, sink.dropped]).to.deep.equal([1, 1]);
  });

  it("tries again when the API server is overloaded, but not for ever", async () => {
    let failures = 2;
    api.fault = () => (failures-- > 0 ? { before: new ApiError(503, { message: "busy" }) } : undefined);
    recorder.emit(regarding, line("x"));
    await clock.advance(60_000);
    expect(written().length).to.equal(1);
    failures = 100;
    recorder.emit(regarding, line("y", { reason: "Other" }));
    await clock.advance(600_000);
    expect([written().length, sink.dropped]).to.deep.equal([1, 1]);
  });

  it("drops lines, and says so, rather than hold more than its capacity", async () => {
    const log = new MemoryLog();
    sink = new EventSink({ client: api, log, clock, capacity: 10 });
    for (let i = 0; i < 15; i++) sink.recorder("x").emit(pod(`p-${i}`, { uid: `${i}` }), line("x"));
    expect(sink.dropped).to.equal(5);
    expect(log.lines[0]?.message).to.match(/some are dropped/);
    await clock.advance(100);
    expect(written().length).to.equal(10);
    sink.recorder("x").emit(pod("later", { uid: "later" }), line("x"));
    await clock.advance(100);
    expect(written().length, "room again once they are written").to.equal(11);
  });

  it("sets one timer, however many series there are", () => {
    for (let i = 0; i < 50; i++) recorder.emit(pod(`p-${i}`, { uid: `${i}` }), line("x"));
    expect(clock.timers).to.equal(1);
  });

  it("writes what is waiting when it is flushed, and waits no longer than told", async () => {
    recorder.emit(regarding, line("x"));
    await sink.flush();
    expect(written().length).to.equal(1);
    api.gate = () => new Promise(() => {});
    recorder.emit(regarding, line("y", { reason: "Other" }));
    const flushed = sink.flush(1_000);
    await clock.advance(1_000);
    await flushed;
  });

  it("puts events about objects without a namespace into the default one, and keeps names within 253 characters", async () => {
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n".repeat(253), uid: "n" } };
    recorder.emit(node, line("x"));
    await clock.advance(100);
    await settled();
    expect(written()[0]?.metadata.namespace).to.equal("default");
    expect(written()[0]?.metadata.name.length).to.equal(253);
    expect(written()[0]?.regarding).to.not.have.property("namespace");
  });
});
