import { expect } from "chai";
import { controllerUid, ObjectCache, withoutBookkeeping } from "../../../src/kube/cache.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { MemoryLog, PODS, pod, VirtualClock } from "./support.ts";

describe("the cache", () => {
  let cache: ObjectCache;
  let changes: string[];

  const at = (name: string, resourceVersion: number, metadata: Partial<KubeObject["metadata"]> = {}) =>
    pod(name, { uid: `uid-${name}`, resourceVersion: String(resourceVersion), ...metadata });
  const version = (name: string) => cache.get("ns", name)?.metadata.resourceVersion;

  beforeEach(() => {
    cache = new ObjectCache({ type: PODS, indexes: { owner: controllerUid } });
    changes = [];
    cache.onChange((before, after) => {
      changes.push(`${before?.metadata.resourceVersion ?? "-"} ${after?.metadata.resourceVersion ?? "-"}`);
    });
  });

  it("is complete only when every scope was listed", async () => {
    const scoped = new ObjectCache({ type: PODS, namespaces: ["a", "b"] });
    scoped.replace([], "10", "a");
    expect(scoped.synced).to.equal(false);
    scoped.replace([], "11", "b");
    expect(scoped.synced).to.equal(true);
    await scoped.whenSynced();
  });

  it("shows what lists and watches say, and tells of each change once with the object before and after", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.event("ADDED", at("b", 6));
    cache.event("MODIFIED", at("b", 7));
    cache.event("DELETED", at("a", 8));
    expect(cache.list().map((object) => object.metadata.name)).to.deep.equal(["b"]);
    expect(changes).to.deep.equal(["- 1", "- 6", "6 7", "1 -"]);
  });

  it("says of the first list that nothing may have happened", () => {
    const initial: boolean[] = [];
    cache.onChange((_before, _after, first) => initial.push(first));
    cache.replace([at("a", 1)], "5", "");
    cache.replace([at("a", 1), at("b", 6)], "6", "");
    expect(initial).to.deep.equal([true, false]);
  });

  it("shows our own write at once, and the watch's echo of it is no change", () => {
    cache.replace([], "5", "");
    cache.written(at("a", 6));
    expect(version("a")).to.equal("6");
    cache.event("ADDED", at("a", 6));
    expect(changes).to.deep.equal(["- 6"]);
  });

  it("keeps the newer state when an answer comes after the watch", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.event("MODIFIED", at("a", 9));
    cache.written(at("a", 8));
    expect(version("a")).to.equal("9");
  });

  it("compares resourceVersions as numbers, also beyond what JavaScript counts exactly", () => {
    cache.replace([at("a", 9)], "9", "");
    cache.event("MODIFIED", at("a", 10));
    expect(version("a")).to.equal("10");
    cache.event("MODIFIED", at("a", 0, { resourceVersion: "9007199254740993" }));
    cache.event("MODIFIED", at("a", 0, { resourceVersion: "9007199254740992" }));
    expect(version("a")).to.equal("9007199254740993");
  });

  it("never brings back what was seen deleted when a late answer tells of it", () => {
    cache.replace([], "5", "");
    cache.event("ADDED", at("a", 6));
    cache.event("DELETED", at("a", 8));
    cache.written(at("a", 6));
    expect(cache.size).to.equal(0);
  });

  it("never brings back what a new list no longer had when a late answer tells of it", () => {
    cache.replace([], "5", "");
    cache.replace([], "8", "");
    cache.written(at("a", 6));
    expect(cache.size).to.equal(0);
    cache.written(at("b", 9));
    expect(cache.size).to.equal(1);
  });

  it("takes back an object that left the label selector and came again", () => {
    cache.replace([], "5", "");
    cache.event("ADDED", at("a", 6));
    cache.event("DELETED", at("a", 8));
    cache.event("ADDED", at("a", 9));
    expect(version("a")).to.equal("9");
  });

  it("keeps an object that our own write brought back when the event of its leaving is late", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.written(at("a", 9));
    cache.event("DELETED", at("a", 8));
    expect(version("a")).to.equal("9");
  });

  it("keeps a new object of the same name when the old one's deletion is seen late", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.written(at("a", 9, { uid: "new" }));
    cache.event("DELETED", at("a", 8));
    expect(cache.get("ns", "a")?.metadata.uid).to.equal("new");
  });

  it("counts our own deletes as terminating until the watch shows what became of them", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.deleting({ namespace: "ns", name: "a", uid: "uid-a" });
    expect(cache.get("ns", "a")?.metadata.deletionTimestamp).to.be.a("string");
    cache.event("MODIFIED", at("a", 6));
    expect(cache.get("ns", "a")?.metadata.deletionTimestamp, "an event from before the delete").to.be.a("string");
    cache.event("DELETED", at("a", 7));
    expect(cache.size).to.equal(0);
  });

  it("ignores a delete of another object of the same name", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.deleting({ namespace: "ns", name: "a", uid: "other" });
    cache.gone({ namespace: "ns", name: "a", uid: "other" });
    expect(cache.get("ns", "a")?.metadata.deletionTimestamp).to.equal(undefined);
  });

  it("drops what is surely gone, and a list from before that does not bring it back", () => {
    cache.replace([at("a", 1)], "5", "");
    cache.gone({ namespace: "ns", name: "a", uid: "uid-a" });
    cache.replace([at("a", 1)], "5", "");
    expect(cache.size).to.equal(0);
  });

  it("drops in a new list what is absent from it, except what we wrote after it was made", () => {
    cache.replace([at("a", 1), at("b", 2)], "5", "");
    cache.written(at("old", 6));
    cache.written(at("new", 12));
    cache.replace([at("b", 2)], "10", "");
    expect(cache.list().map((object) => object.metadata.name)).to.have.members(["b", "new"]);
  });

  it("believes the list, not what a watch once showed, when the server has gone back in time", () => {
    cache.replace([], "100", "");
    cache.event("ADDED", at("a", 120));
    cache.event("ADDED", at("b", 121));
    cache.replace([at("a", 50)], "60", "");
    expect(version("a")).to.equal("50");
    expect(cache.get("ns", "b")).to.equal(undefined);
  });

  it("tells nothing about objects that a new list shows unchanged", () => {
    cache.replace([at("a", 1)], "5", "");
    changes = [];
    cache.replace([at("a", 1)], "10", "");
    expect(changes).to.deep.equal([]);
  });

  it("replaces only the namespace that was listed", () => {
    const scoped = new ObjectCache({ type: PODS, namespaces: ["a", "b"] });
    scoped.replace([at("x", 1, { namespace: "a" })], "5", "a");
    scoped.replace([at("y", 2, { namespace: "b" })], "5", "b");
    scoped.replace([], "9", "a");
    expect(scoped.list().map((object) => object.metadata.name)).to.deep.equal(["y"]);
  });

  it("takes our own writes only where its own watch would show them", () => {
    const scoped = new ObjectCache({ type: PODS, namespaces: ["ns"], labelSelector: "app in (x,y),!off" });
    scoped.written(at("elsewhere", 1, { namespace: "other", labels: { app: "x" } }));
    scoped.written(at("unlabelled", 2));
    scoped.written(at("off", 3, { labels: { app: "x", off: "" } }));
    scoped.written(at("in", 4, { labels: { app: "y" } }));
    expect(scoped.list().map((object) => object.metadata.name)).to.deep.equal(["in"]);
    scoped.written(at("in", 5, { labels: { app: "z" } }));
    expect(scoped.size, "our own patch took it out of the selection").to.equal(0);
  });

  it("finds objects by an index, also after they changed owner", () => {
    const owned = (uid: string) => ({
      ownerReferences: [{ apiVersion: "v1", kind: "Owner", name: "o", uid, controller: true }],
    });
    cache.replace([at("a", 1, owned("one")), at("b", 2, owned("one"))], "5", "");
    cache.event("MODIFIED", at("b", 6, owned("two")));
    const names = (uid: string) => cache.byIndex("owner", uid).map((object) => object.metadata.name);
    expect([names("one"), names("two"), names("three")]).to.deep.equal([["a"], ["b"], []]);
    cache.event("DELETED", at("b", 7, owned("two")));
    expect(names("two")).to.deep.equal([]);
    expect(() => cache.byIndex("colour", "red")).to.throw('no index "colour"');
  });

  it("keeps only what the projection keeps, and gives list items their kind", () => {
    const small = new ObjectCache({
      type: PODS,
      project: ({ apiVersion, kind, metadata: { name, namespace = "", uid = "", resourceVersion = "" } }) => ({
        ...{ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } },
      }),
    });
    const item = { metadata: { name: "a", namespace: "ns", uid: "u", resourceVersion: "1", labels: { x: "y" } } };
    small.replace([small.project(item as unknown as KubeObject)], "5", "");
    expect(small.get("ns", "a")).to.deep.equal({
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "a", namespace: "ns", uid: "u", resourceVersion: "1" } },
    });
  });

  it("drops managed fields and kubectl's copy by default, without touching the object it was given", () => {
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}", other: "kept" };
    const object = { ...pod("a", { annotations }), spec: { x: 1 } };
    Object.assign(object.metadata, { managedFields: [{}] });
    const cut = withoutBookkeeping(object);
    expect(cut).to.deep.equal({ ...pod("a", { annotations: { other: "kept" } }), spec: { x: 1 } });
    expect(object.metadata).to.have.property("managedFields");
    expect(object.metadata.annotations).to.equal(annotations);
  });

  it("goes on when a change handler throws, and logs which object it was", () => {
    const log = new MemoryLog();
    const logged = new ObjectCache({ type: PODS, log });
    let later = 0;
    logged.onChange(() => {
      throw new Error("a bug");
    });
    logged.onChange(() => later++);
    logged.event("ADDED", at("a", 1));
    expect([logged.size, later]).to.deep.equal([1, 1]);
    expect(log.lines[0]).to.deep.include({ level: "error", message: "a change handler failed" });
    expect(log.lines[0]?.fields).to.deep.include({ resource: "pods", namespace: "ns", name: "a" });
  });

  it("tells a handler nothing more after it unsubscribed", () => {
    let told = 0;
    const end = cache.onChange(() => told++);
    cache.event("ADDED", at("a", 1));
    end();
    cache.event("MODIFIED", at("a", 2));
    expect(told).to.equal(1);
  });

  it("forgets everything when it is cleared, and is not complete then", () => {
    cache.replace([at("a", 1)], "5", "");
    changes = [];
    cache.clear();
    expect([cache.size, cache.synced, cache.byIndex("owner", "x").length, changes.length]).to.deep.equal([
      0,
      false,
      0,
      0,
    ]);
    cache.replace([at("a", 1)], "5", "");
    expect(cache.synced).to.equal(true);
  });

  it("remembers its own deletes long enough for a lagging watch, and not for ever", async () => {
    const clock = new VirtualClock();
    const mortal = new ObjectCache({ type: PODS, now: clock.now });
    mortal.gone({ namespace: "ns", name: "a", uid: "uid-a" });
    await clock.advance(119_000);
    mortal.event("MODIFIED", at("a", 6));
    expect(mortal.size).to.equal(0);
    for (let i = 0; i < 2; i++) {
      await clock.advance(120_000);
      mortal.gone({ namespace: "ns", name: "other", uid: `other-${i}` });
    }
    mortal.event("MODIFIED", at("a", 7));
    expect(mortal.size).to.equal(1);
  });
});
