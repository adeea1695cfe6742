import { expect } from "chai";
import { ObjectCache } from "../../../src/kube/cache.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { Reflector } from "../../../src/kube/reflector.ts";
import type { WatchEvent } from "../../../src/kube/watch-stream.ts";
import { MemoryLog, PODS, pod } from "./support.ts";

const added = (name: string, resourceVersion: string): WatchEvent => event("ADDED", name, resourceVersion);
const end: WatchEvent = {
  type: "BOOKMARK",
  object: {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { name: "", resourceVersion: "20", annotations: { "k8s.io/initial-events-end": "true" } },
  },
};

function event(type: WatchEvent["type"], name: string, resourceVersion: string): WatchEvent {
  return { type, object: pod(name, { uid: `uid-${name}`, resourceVersion }) };
}

/** What is in the cache after a streamed list of these events, and which names its handlers were told of. */
async function afterStream(events: readonly WatchEvent[]): Promise<{ names: string[]; cache: ObjectCache }> {
  const cache = new ObjectCache({ type: PODS });
  const stop = new AbortController();
  const watch: KubeClient["watch"] = async (_type, options, onEvent) => {
    for (const item of events) onEvent(item);
    await new Promise((_resolve, reject) => options.signal?.addEventListener("abort", reject));
  };
  const work = new Reflector({ watch } as KubeClient, cache, "", { log: new MemoryLog() }).run(stop.signal);
  await cache.whenSynced();
  stop.abort();
  await work;
  return { names: cache.list().map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`), cache };
}

describe("a streamed list", () => {
  it("leaves out what is deleted while it comes in", async () => {
    const { names } = await afterStream([added("a", "1"), added("b", "2"), event("DELETED", "a", "12"), end]);
    expect(names).to.deep.equal(["b@2"]);
  });

  it("takes what changes or appears while it comes in as it is last", async () => {
    const changes = [event("MODIFIED", "a", "12"), added("c", "13"), event("MODIFIED", "c", "14")];
    const { names } = await afterStream([added("a", "1"), ...changes, end]);
    expect(names).to.deep.equal(["a@12", "c@14"]);
  });

  it("lets nothing that was deleted meanwhile come back by a late answer of an own create", async () => {
    const { cache } = await afterStream([added("a", "1"), event("DELETED", "a", "12"), end]);
    cache.written(pod("a", { uid: "uid-a", resourceVersion: "1" }));
    expect(cache.size).to.equal(0);
  });
});
