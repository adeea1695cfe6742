import { expect } from "chai";
import { ApiError, ConnectionError, NotLeaderError } from "../../../src/kube/errors.ts";
import { LeaderElector } from "../../../src/kube/leader-election.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { MemoryApi, MemoryLog, settled, VirtualClock } from "./support.ts";

interface Lease extends KubeObject {
  spec: { holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number; renewTime: string };
}

describe("leader election", () => {
  let api: MemoryApi;
  let clock: VirtualClock;
  let stop: AbortController;

  const elector = (identity: string) =>
    new LeaderElector({ client: api, log: new MemoryLog(), name: "lease", namespace: "ns", identity, clock });
  const lease = () => api.objects.get("Lease/ns/lease") as Lease | undefined;
  const unreachable = new ConnectionError(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), false);
  /** Wins the lease for `identity` and goes on renewing it. */
  async function lead(identity: string): Promise<{ elector: LeaderElector; held: Promise<void> }> {
    const won = elector(identity);
    await won.acquire(stop.signal);
    return { elector: won, held: won.hold(stop.signal) };
  }

  beforeEach(() => {
    api = new MemoryApi();
    clock = new VirtualClock();
    stop = new AbortController();
  });

  afterEach(() => stop.abort());

  it("takes a lease that does not exist, and renews it", async () => {
    const { elector: leader } = await lead("me");
    expect(lease()?.spec).to.deep.include({ holderIdentity: "me", leaseDurationSeconds: 15, leaseTransitions: 0 });
    await clock.advance(60_000);
    expect(leader.leading).to.equal(true);
    expect(Date.parse(lease()?.spec.renewTime ?? "")).to.be.within(clock.now() - 2_000, clock.now());
  });

  it("lets no second one in while the first renews", async () => {
    await lead("first");
    const second = elector("second");
    let won = false;
    void second.acquire(stop.signal).then(
      () => {
        won = true;
      },
      () => {},
    );
    await clock.advance(120_000);
    expect([won, second.leading]).to.deep.equal([false, false]);
    expect(() => second.check()).to.throw(NotLeaderError);
  });

  it("takes over when the holder was silent for the lease's duration, and counts the transition", async () => {
    const first = elector("first");
    await first.acquire(stop.signal);
    const second = elector("second");
    const won = second.acquire(stop.signal);
    await clock.advance(14_000);
    expect(lease()?.spec.holderIdentity).to.equal("first");
    await clock.advance(6_000);
    await won;
    expect(lease()?.spec).to.deep.include({ holderIdentity: "second", leaseTransitions: 1 });
    expect(first.leading, "the first may not write any more by then").to.equal(false);
  });

  it("stops counting as leader before anyone else may take the lease, without any timer", async () => {
    const first = elector("first");
    await first.acquire(stop.signal);
    await clock.advance(9_999);
    first.check();
    await clock.advance(1);
    expect(() => first.check()).to.throw(NotLeaderError);
  });

  it("measures its right to write from when a renewal was sent, not from its answer", async () => {
    const slow = elector("slow");
    api.gate = async ({ verb }) => {
      if (verb === "create") await new Promise<void>((resolve) => clock.after(4_000, resolve));
    };
    const won = slow.acquire(stop.signal);
    await clock.advance(4_000);
    await won;
    await clock.advance(6_000);
    expect(slow.leading).to.equal(false);
  });

  it("survives a short outage, and has lost after the renew deadline", async () => {
    const { elector: leader, held } = await lead("me");
    let lost = false;
    void held.then(() => {
      lost = true;
    });
    api.fault = () => ({ before: unreachable });
    await clock.advance(8_000);
    api.fault = () => undefined;
    await clock.advance(2_000);
    expect([lost, leader.leading]).to.deep.equal([false, true]);
    api.fault = () => ({ before: unreachable });
    await clock.advance(13_000);
    expect([lost, leader.leading]).to.deep.equal([true, false]);
  });

  it("has lost when another holds the lease", async () => {
    const { elector: leader, held } = await lead("me");
    const current = lease() as Lease;
    api.put({ ...current, spec: { ...current.spec, holderIdentity: "thief" } } as Lease);
    await clock.advance(3_000);
    await held;
    expect(leader.leading).to.equal(false);
    expect(lease()?.spec.holderIdentity).to.equal("thief");
  });

  it("keeps the lease when someone else only touched it, or its own renewal's answer was lost", async () => {
    const { elector: leader } = await lead("me");
    const current = lease() as Lease;
    api.put({ ...current, metadata: { ...current.metadata, labels: { touched: "" } } } as Lease);
    await clock.advance(3_000);
    expect(leader.leading).to.equal(true);
    let lost = 1;
    api.fault = ({ verb }) => (verb === "update" && lost-- > 0 ? { after: unreachable } : undefined);
    await clock.advance(20_000);
    expect(leader.leading).to.equal(true);
  });

  it("gives the lease up when released, so that the next one has it at its next try", async () => {
    const { elector: leader } = await lead("first");
    stop.abort();
    await settled();
    await leader.release();
    expect(lease()?.spec.holderIdentity).to.equal("");
    stop = new AbortController();
    const won = elector("second").acquire(stop.signal);
    await clock.advance(1);
    await won;
    expect(lease()?.spec.holderIdentity).to.equal("second");
  });

  it("does not release what another holds by now", async () => {
    const { elector: leader } = await lead("me");
    const current = lease() as Lease;
    api.put({ ...current, spec: { ...current.spec, holderIdentity: "other" } } as Lease);
    await leader.release();
    expect(lease()?.spec.holderIdentity).to.equal("other");
  });

  it("goes on trying while the API server refuses", async () => {
    api.fault = () => ({ before: new ApiError(403, { reason: "Forbidden", message: "no" }) });
    const won = elector("me").acquire(stop.signal);
    await clock.advance(30_000);
    api.fault = () => undefined;
    await clock.advance(3_000);
    await won;
    expect(lease()?.spec.holderIdentity).to.equal("me");
  });

  it("stops waiting when it is told to", async () => {
    await lead("first");
    const waiting = new AbortController();
    const ended = elector("second")
      .acquire(waiting.signal)
      .catch((error: Error) => error.name);
    await clock.advance(5_000);
    waiting.abort();
    expect(await ended).to.equal("AbortError");
  });

  it("refuses durations that could let two lead", () => {
    const options = { client: api, log: new MemoryLog(), name: "lease", namespace: "ns", identity: "me" };
    expect(() => new LeaderElector({ ...options, leaseDurationMs: 10_000, renewDeadlineMs: 10_000 })).to.throw(
      "must be longer",
    );
  });
});
