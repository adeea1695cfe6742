import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ObjectCache } from "../../../src/kube/cache.ts";
import { Client } from "../../../src/kube/client.ts";
import { loadConnection } from "../../../src/kube/kubeconfig.ts";
import { Reflector, type ReflectorOptions } from "../../../src/kube/reflector.ts";
import type { RequestRecord } from "../../../src/kube/requester.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { json, PlainApi } from "../support/plain-api.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { CONFIG_MAPS, eventually, MemoryLog, NAMESPACES } from "../support/widgets.ts";

/** A reflector at work, and what it did. */
interface Running {
  readonly cache: ObjectCache;
  readonly log: MemoryLog;
  readonly requests: RequestRecord[];
  readonly changes: string[];
  stop(): Promise<void>;
}

const LABEL = "test=yes";
const namespaces = ["one", "two", "three"];

describe("a reflected cache", function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let client: Client;
  let proxy: TcpProxy;
  let proxyConnection: Awaited<ReturnType<typeof loadConnection>>;
  const running: Running[] = [];
  /** The next test works on the same objects. */
  let keep = false;

  before(async () => {
    plane = await startControlPlane();
    client = await plane.client();
    for (const name of namespaces) {
      await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    }
    proxy = new TcpProxy(plane.port);
    const kubeconfig = join(plane.folder, "proxy.kubeconfig");
    writeFileSync(kubeconfig, plane.kubeconfigFor(`https://127.0.0.1:${await proxy.listen()}`));
    proxyConnection = await loadConnection({ kubeconfig });
  });

  afterEach(async () => {
    proxy.pass();
    for (const each of running.splice(0)) await each.stop();
    if (keep) return;
    for (const namespace of ["default", ...namespaces]) {
      await client.raw({ method: "DELETE", path: `/api/v1/namespaces/${namespace}/configmaps?labelSelector=${LABEL}` });
    }
  });

  after(async () => {
    await proxy?.close();
    await plane?.stop();
  });

  const configMap = (name: string, data: Record<string, string> = {}, namespace = "default") =>
    ({
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels: { test: "yes" } }, data },
    }) as KubeObject;
  const create = (name: string, data?: Record<string, string>) => client.create(CONFIG_MAPS, configMap(name, data));
  const dataOf = (cache: ObjectCache, name: string) =>
    (cache.get("default", name) as { data?: Record<string, string> } | undefined)?.data;

  function reflect(options: Partial<ReflectorOptions> & { namespaces?: string[]; through?: "proxy" } = {}): Running {
    const requests: RequestRecord[] = [];
    const log = new MemoryLog();
    const own = new Client(options.through ? proxyConnection : client.connection, {
      observer: { request: (record) => requests.push(record) },
    });
    const cache = new ObjectCache({ type: CONFIG_MAPS, labelSelector: LABEL, namespaces: options.namespaces, log });
    const changes: string[] = [];
    cache.onChange((before, after) => {
      changes.push(`${before ? (after ? "~" : "-") : "+"}${(after ?? before)?.metadata.name}`);
    });
    const abort = new AbortController();
    const work = cache.scopes.map((scope) => new Reflector(own, cache, scope, { log, ...options }).run(abort.signal));
    const each = {
      ...{ cache, log, requests, changes },
      stop: async () => {
        abort.abort();
        await Promise.all(work);
        await own.close();
      },
    };
    running.push(each);
    return each;
  }

  for (const list of ["stream", "pages"] as const) {
    it(`lists and then follows every change, with a list by ${list}`, async () => {
      await create("present");
      const { cache, changes, requests } = reflect({ list });
      await cache.whenSynced();
      expect(changes).to.deep.equal(["+present"]);
      await create("new", { a: "1" });
      await client.patch(
        { type: CONFIG_MAPS, namespace: "default", name: "new" },
        { data: { a: "2" } },
        { type: "merge" },
      );
      await client.delete({ type: CONFIG_MAPS, namespace: "default", name: "present" });
      await eventually(() => changes.length === 4);
      expect(changes).to.deep.equal(["+present", "+new", "~new", "-present"]);
      expect(dataOf(cache, "new")).to.deep.equal({ a: "2" });
      expect(requests.map(({ verb }) => verb)).to.deep.equal(list === "stream" ? ["watch"] : ["list", "watch"]);
    });
  }

  describe("with 10,000 objects", () => {
    before(async () => {
      const names = Array.from({ length: 10_000 }, (_, i) => `many-${i}`);
      const worker = async () => {
        for (let name = names.pop(); name; name = names.pop()) await create(name, { pad: "x".repeat(1000) });
      };
      await Promise.all(Array.from({ length: 24 }, worker));
    });

    for (const list of ["stream", "pages"] as const) {
      it(`holds them all after a list by ${list}, cut down on arrival`, async () => {
        const cache = new ObjectCache({
          type: CONFIG_MAPS,
          labelSelector: LABEL,
          project: ({ apiVersion, kind, metadata: { name, namespace = "", uid = "", resourceVersion = "" } }) => ({
            ...{ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } },
          }),
        });
        const abort = new AbortController();
        const work = new Reflector(client, cache, "", { log: new MemoryLog(), list }).run(abort.signal);
        await cache.whenSynced();
        abort.abort();
        await work;
        expect(cache.size).to.equal(10_000);
        expect(cache.get("default", "many-777")).to.have.all.keys("apiVersion", "kind", "metadata");
        keep = list === "stream";
      });
    }
  });

  it("watches several namespaces, and no other", async () => {
    await client.create(CONFIG_MAPS, configMap("early", {}, "one"));
    const { cache } = reflect({ namespaces: ["one", "two"] });
    await cache.whenSynced();
    await client.create(CONFIG_MAPS, configMap("hidden", {}, "three"));
    await client.create(CONFIG_MAPS, configMap("late", {}, "two"));
    await eventually(() => cache.size === 2);
    expect(cache.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).to.have.members([
      "one/early",
      "two/late",
    ]);
  });

  it("resumes where a watch was cut in the middle of an object, without losing or repeating a change", async () => {
    const { cache, changes, requests } = reflect({ through: "proxy" });
    await cache.whenSynced();
    const large = { pad: "x".repeat(50_000) };
    await create("whole", large);
    await eventually(() => cache.size === 1);
    proxy.cutAfter(20_000);
    await create("cut", large);
    await create("behind", large);
    await eventually(() => requests.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(changes, "half an object is no change").to.deep.equal(["+whole"]);
    proxy.pass();
    await eventually(() => cache.size === 3);
    expect(changes).to.deep.equal(["+whole", "+cut", "+behind"]);
    expect(dataOf(cache, "cut")).to.deep.equal(large);
    expect(requests.filter(({ verb }) => verb === "list")).to.deep.equal([]);
  });

  it("lists again after etcd was compacted while the watch was down, and tells only of what changed", async () => {
    await create("same");
    await create("leaves");
    const { cache, changes, log } = reflect({ through: "proxy" });
    await cache.whenSynced();
    proxy.refuse();
    await client.delete({ type: CONFIG_MAPS, namespace: "default", name: "leaves" });
    await create("comes");
    // The API server answers old versions from memory for as long as it can; after a restart it has to ask etcd.
    for (let i = 0; i < 3; i++) await create(`turn-${i}`);
    await plane.compactEtcd();
    await plane.stopApiServer("SIGKILL");
    await plane.startApiServer();
    proxy.pass();
    await eventually(() => cache.get("default", "comes"));
    expect(log.lines.map(({ message }) => message)).to.include(
      "the resourceVersion of a watch is too old, listing again",
    );
    expect(changes.slice(0, 2)).to.have.members(["+same", "+leaves"]);
    expect(changes.slice(2)).to.have.members(["-leaves", "+comes", "+turn-0", "+turn-1", "+turn-2"]);
  });

  it("goes on after the API server was restarted", async () => {
    const { cache } = reflect();
    await cache.whenSynced();
    await create("before");
    await eventually(() => cache.size === 1);
    await plane.stopApiServer("SIGKILL");
    await plane.startApiServer();
    await create("after");
    await eventually(() => cache.get("default", "after"), "the new object", 30_000);
    expect(cache.size).to.equal(2);
  });

  it("begins again when the server ends the watch, without listing", async () => {
    const { cache, requests } = reflect({ watchSeconds: 1 });
    await cache.whenSynced();
    await eventually(() => requests.filter(({ verb }) => verb === "watch").length >= 3, "three watches", 15_000);
    await create("still");
    await eventually(() => cache.get("default", "still"));
    expect(requests.filter(({ verb }) => verb === "list")).to.deep.equal([]);
  });

  it("keeps going when a handler throws", async () => {
    const { cache, log } = reflect();
    await cache.whenSynced();
    cache.onChange(() => {
      throw new Error("a bug in a handler");
    });
    await create("one");
    await create("two");
    await eventually(() => cache.size === 2);
    expect(log.lines.filter(({ message }) => message === "a change handler failed").length).to.equal(2);
  });

  it("leaves out an object that its projection chokes on, says so, and follows all others", async () => {
    const log = new MemoryLog();
    await create("bad-listed");
    const cache = new ObjectCache({
      type: CONFIG_MAPS,
      labelSelector: LABEL,
      project: (object) => {
        if (object.metadata.name.startsWith("bad")) throw new Error("cannot read this");
        return object;
      },
    });
    const abort = new AbortController();
    const work = new Reflector(client, cache, "", { log }).run(abort.signal);
    await cache.whenSynced();
    await create("bad-watched");
    await create("good");
    await eventually(() => cache.size === 1);
    abort.abort();
    await work;
    expect(log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields.name)).to.deep.equal([
      "bad-listed",
      "bad-watched",
    ]);
  });

  it("is never complete while its kind does not exist, and says why", async () => {
    const log = new MemoryLog();
    const type = { apiVersion: "nowhere.io/v1", kind: "Nothing", plural: "nothings", namespaced: true };
    const cache = new ObjectCache({ type });
    const abort = new AbortController();
    const work = new Reflector(client, cache, "", { log }).run(abort.signal);
    await eventually(() => log.lines.length >= 2);
    abort.abort();
    await work;
    expect(cache.synced).to.equal(false);
    expect(log.lines[0]).to.deep.include({ level: "warn" });
    expect(log.lines[0]?.fields.error).to.include("not found");
  });
});

describe("a reflected cache on an older or ailing server", function () {
  this.timeout(20_000);

  async function reflected(answer: ConstructorParameters<typeof PlainApi>[0], until: (cache: ObjectCache) => boolean) {
    const api = new PlainApi(answer);
    const client = new Client(await api.listen());
    const cache = new ObjectCache({ type: CONFIG_MAPS });
    const abort = new AbortController();
    const log = new MemoryLog();
    const work = new Reflector(client, cache, "", { log, pageSize: 2 }).run(abort.signal);
    try {
      await eventually(() => until(cache));
    } finally {
      abort.abort();
      await work;
      await client.close();
      await api.close();
    }
    return { cache, log, urls: api.requests.map(({ url }) => url) };
  }

  const item = (name: string, resourceVersion: string) => ({
    metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion },
  });
  const page = (items: unknown[], next = "") => ({
    ...{ apiVersion: "v1", kind: "ConfigMapList", metadata: { resourceVersion: "10", continue: next }, items },
  });
  const status = (code: number, reason: string) => ({
    kind: "Status",
    status: "Failure",
    code,
    reason,
    message: reason,
  });

  it("falls back to pages where streamed lists are refused", async () => {
    const { cache, urls } = await reflected(
      (request, response) => {
        const url = request.url ?? "";
        if (url.includes("sendInitialEvents")) return json(response, 422, status(422, "Invalid"));
        if (url.includes("watch=true")) return void response.writeHead(200).write("\n");
        if (url.includes("continue=next")) return json(response, 200, page([item("c", "3")]));
        return json(response, 200, page([item("a", "1"), item("b", "2")], "next"));
      },
      (known) => known.synced,
    );
    expect(cache.list().map(({ kind, metadata }) => `${kind} ${metadata.name}`)).to.deep.equal([
      "ConfigMap a",
      "ConfigMap b",
      "ConfigMap c",
    ]);
    expect(urls[1])
      .to.match(/limit=2/)
      .and.to.not.include("resourceVersion");
  });

  it("lists all in one answer when the continue token has expired", async () => {
    const { cache } = await reflected(
      (request, response) => {
        const url = request.url ?? "";
        if (url.includes("sendInitialEvents")) return json(response, 400, status(400, "BadRequest"));
        if (url.includes("watch=true")) return void response.writeHead(200).write("\n");
        if (url.includes("continue=")) return json(response, 410, status(410, "Expired"));
        if (url.includes("limit=")) return json(response, 200, page([item("a", "1"), item("gone", "2")], "next"));
        return json(response, 200, page([item("a", "1"), item("b", "5")]));
      },
      (known) => known.synced,
    );
    expect(cache.list().map(({ metadata }) => metadata.name)).to.deep.equal(["a", "b"]);
  });

  it("lists again when the watch itself says that it is too old", async () => {
    let watches = 0;
    const { cache } = await reflected(
      (request, response) => {
        const url = request.url ?? "";
        if (url.includes("sendInitialEvents")) return json(response, 422, status(422, "Invalid"));
        if (!url.includes("watch=true"))
          return json(response, 200, page(watches === 0 ? [item("a", "1")] : [item("b", "9")]));
        response.writeHead(200);
        if (watches++ === 0) response.end(`${JSON.stringify({ type: "ERROR", object: status(410, "Expired") })}\n`);
        else response.write("\n");
        return undefined;
      },
      (known) => known.get("default", "b") !== undefined,
    );
    expect(cache.get("default", "a")).to.equal(undefined);
  });

  it("pauses between watches that the server ends at once", async () => {
    const startedAt = Date.now();
    const { urls } = await reflected(
      (request, response) => {
        if (request.url?.includes("sendInitialEvents")) return json(response, 422, status(422, "Invalid"));
        if (request.url?.includes("watch=true")) return void response.writeHead(200).end();
        return json(response, 200, page([]));
      },
      () => Date.now() - startedAt > 3_000,
    );
    expect(urls.filter((url) => url.includes("watch=true")).length).to.be.within(2, 12);
  });
});
