import { expect } from "chai";
import fc from "fast-check";
import { ApiError, isOutcomeUnknown, isTransient } from "../../../src/kube/errors.ts";
import { applyMergePatch, mergePatch } from "../../../src/kube/merge-patch.ts";
import { drawSuffix, keyOf, partsOf } from "../../../src/kube/reconciler.ts";
import { collectionPath, objectPath } from "../../../src/kube/resource-path.ts";
import { compareResourceVersions, isNewer } from "../../../src/kube/resource-version.ts";
import { parseLabelSelector } from "../../../src/kube/selector.ts";
import { backoffMs, sleep } from "../../../src/kube/time.ts";
import { TokenBucket } from "../../../src/kube/token-bucket.ts";
import { WatchDecoder } from "../../../src/kube/watch-stream.ts";
import { PODS, VirtualClock } from "./support.ts";

describe("resource paths", () => {
  const clusters = { apiVersion: "ray.io/v1", kind: "RayCluster", plural: "rayclusters", namespaced: true };
  const nodes = { apiVersion: "v1", kind: "Node", plural: "nodes", namespaced: false };

  it("tell the core group from the others, and namespaced kinds from the rest", () => {
    expect(collectionPath(PODS)).to.equal("/api/v1/pods");
    expect(collectionPath(PODS, "ns")).to.equal("/api/v1/namespaces/ns/pods");
    expect(objectPath({ type: clusters, namespace: "ns", name: "c" }, "status")).to.equal(
      "/apis/ray.io/v1/namespaces/ns/rayclusters/c/status",
    );
    expect(objectPath({ type: nodes, namespace: "ignored", name: "n" })).to.equal("/api/v1/nodes/n");
  });

  it("keep a name a name, whatever a user wrote", () => {
    expect(objectPath({ type: PODS, namespace: "a/b", name: "../secrets/x?y" })).to.equal(
      "/api/v1/namespaces/a%2Fb/pods/..%2Fsecrets%2Fx%3Fy",
    );
  });
});

describe("queue keys", () => {
  it("are taken apart as they were made", () => {
    expect(partsOf(keyOf("ns", "name"))).to.deep.equal({ namespace: "ns", name: "name" });
    expect(partsOf(keyOf(undefined, "name"))).to.deep.equal({ namespace: "", name: "name" });
  });

  it("have suffixes of the API server's alphabet", () => {
    for (let i = 0; i < 100; i++) expect(drawSuffix()).to.match(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(drawSuffix(() => 0)).to.equal("bbbbb");
    expect(drawSuffix(() => 0.999999)).to.equal("99999");
  });
});

describe("resourceVersions", () => {
  it("compare like integers of any size", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.bigInt({ min: 0n, max: 2n ** 64n }), (a, b) => {
        const expected = a < b ? -1 : a > b ? 1 : 0;
        expect(Math.sign(compareResourceVersions(String(a), String(b)) ?? Number.NaN)).to.equal(expected);
      }),
    );
  });

  it("are not compared when they are no numbers", () => {
    for (const odd of ["", "abc", "-1", "01", undefined]) expect(compareResourceVersions(odd, "5")).to.equal(undefined);
    expect(isNewer("abc", "5")).to.equal(false);
  });
});

describe("label selectors", () => {
  const labels = { app: "ray", tier: "gold", empty: "" };
  const selects = (selector: string | undefined) => parseLabelSelector(selector)(labels);

  it("select by equality, sets and presence", () => {
    for (const selector of [
      "",
      undefined,
      "app=ray",
      "app==ray",
      "app = ray",
      "app!=x",
      "none!=x",
      "app",
      "!none",
      "empty=",
    ]) {
      expect(selects(selector), String(selector)).to.equal(true);
    }
    for (const selector of ["app in (ray, x),tier=gold", "app notin (x,y)", "none notin (x)", "ray.io/x!=1,app"]) {
      expect(selects(selector), selector).to.equal(true);
    }
    for (const selector of [
      "app=x",
      "app!=ray",
      "none",
      "!app",
      "app in (x)",
      "app notin (ray)",
      "app,none",
      "none=",
      "none in (x)",
    ]) {
      expect(selects(selector), selector).to.equal(false);
    }
  });

  it("treat missing labels as none", () => {
    expect(parseLabelSelector("!a")(undefined)).to.equal(true);
    expect(parseLabelSelector("a")(undefined)).to.equal(false);
  });

  it("refuse what is no selector", () => {
    for (const text of ["a b", "in (x)", "a in x", "=x"])
      expect(() => parseLabelSelector(text), text).to.throw("not a label");
  });
});

describe("merge patches", () => {
  it("carry only what differs, and null for what is no more", () => {
    const before = { a: 1, b: { c: 1, d: [1, 2] }, e: "x", same: { f: [{ g: 1 }] } };
    const after = { a: 2, b: { c: 1, d: [1] }, same: { f: [{ g: 1 }] }, n: { o: { p: 1 } } };
    expect(mergePatch(before, after)).to.deep.equal({ a: 2, b: { d: [1] }, e: null, n: { o: { p: 1 } } });
    expect(mergePatch(before, structuredClone(before))).to.equal(undefined);
    expect(mergePatch({ a: 1 }, { a: undefined })).to.deep.equal({ a: null });
  });

  it("turn any object into any other", () => {
    // JSON without null, which a merge patch cannot carry, as API objects are.
    const { value } = fc.letrec<{ value: unknown; object: object }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        ...[
          fc.integer(),
          fc.string({ maxLength: 3 }),
          fc.boolean(),
          fc.array(tie("object"), { maxLength: 2 }),
          tie("object"),
        ],
      ),
      object: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 4, noNullPrototype: true }),
    }));
    const objects = fc.dictionary(fc.constantFrom("a", "b", "c"), value, { noNullPrototype: true });
    fc.assert(
      fc.property(objects, objects, (before, after) => {
        expect(applyMergePatch(before, mergePatch(before, after) ?? {})).to.deep.equal(after);
      }),
    );
  });
});

describe("the token bucket", () => {
  it("lets the burst through at once and then the rate", () => {
    let now = 0;
    const bucket = new TokenBucket(10, 3, () => now);
    expect([bucket.take(), bucket.take(), bucket.take()]).to.deep.equal([0, 0, 0]);
    expect(bucket.take()).to.be.closeTo(100, 1e-6);
    expect(bucket.take()).to.be.closeTo(200, 1e-6);
    now = 1_000;
    expect(bucket.take()).to.equal(0);
  });

  it("saves up no more than the burst", () => {
    let now = 0;
    const bucket = new TokenBucket(10, 2, () => now);
    now = 60_000;
    expect([bucket.take(), bucket.take()]).to.deep.equal([0, 0]);
    expect(bucket.take()).to.be.closeTo(100, 1e-6);
  });
});

describe("waiting", () => {
  it("backs off exponentially up to the cap, with at most half of it taken off by chance", () => {
    expect([0, 1, 2, 3, 60].map((n) => backoffMs(n, 100, 500, () => 1))).to.deep.equal([100, 200, 400, 500, 500]);
    expect(backoffMs(1, 100, 500, () => 0)).to.equal(100);
  });

  it("ends early when it is aborted, and leaves no timer", async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const slept = sleep(1_000, abort.signal, clock).catch((error: Error) => error.name);
    abort.abort();
    expect(await slept).to.equal("AbortError");
    expect(clock.timers).to.equal(0);
  });
});

describe("the watch stream", () => {
  const event = (i: number) => ({ type: "ADDED", object: { metadata: { name: `ä-${i}-🦀` } } });

  it("gives the same events however the bytes are cut into chunks", () => {
    const bytes = Buffer.from(`${[0, 1, 2, 3].map((i) => JSON.stringify(event(i))).join("\n")}\n`);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sizes) => {
        const events: unknown[] = [];
        const decoder = new WatchDecoder((next) => events.push(next));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] as number;
          decoder.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(events).to.deep.equal([0, 1, 2, 3].map(event));
      }),
    );
  });

  it("gives nothing of an event that was cut off", () => {
    const events: unknown[] = [];
    const decoder = new WatchDecoder((next) => events.push(next));
    decoder.push(Buffer.from(`${JSON.stringify(event(0))}\n${JSON.stringify(event(1)).slice(0, 20)}`));
    expect(events.length).to.equal(1);
  });

  it("throws the API server's error", () => {
    const decoder = new WatchDecoder(() => {});
    const status = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
    const push = () => decoder.push(Buffer.from(`${JSON.stringify({ type: "ERROR", object: status })}\n`));
    expect(push).to.throw(ApiError, "too old").with.property("code", 410);
  });
});

describe("errors", () => {
  it("tell what may have happened from what surely did not", () => {
    const error = (code: number, message = "", reason = "") => new ApiError(code, { message, reason });
    for (const unknown of [
      error(504),
      error(502),
      error(500, "etcdserver: request timed out"),
      error(500, "", "ServerTimeout"),
    ]) {
      expect([isOutcomeUnknown(unknown), isTransient(unknown)], unknown.message).to.deep.equal([true, true]);
    }
    for (const refused of [error(403), error(409), error(422), error(500, "failed calling webhook")]) {
      expect([isOutcomeUnknown(refused), isTransient(refused)], refused.message).to.deep.equal([false, false]);
    }
    for (const later of [error(429), error(503)]) {
      expect([isOutcomeUnknown(later), isTransient(later)]).to.deep.equal([false, true]);
    }
  });

  it("say something even when the answer was empty", () => {
    expect(new ApiError(500, {}).message).to.equal("the API server answered with status 500");
  });
});
