import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { Client } from "../../../src/kube/client.ts";
import {
  ApiError,
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isNotFound,
  NotLeaderError,
  ResponseTooLargeError,
} from "../../../src/kube/errors.ts";
import { ReloadingIdentity } from "../../../src/kube/identity.ts";
import { loadConnection } from "../../../src/kube/kubeconfig.ts";
import type { RequestRecord } from "../../../src/kube/requester.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { VirtualClock } from "../../unit/kube/support.ts";
import { type ControlPlane, issueCertificate, startControlPlane } from "../support/control-plane.ts";
import { json, PlainApi } from "../support/plain-api.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { CONFIG_MAPS, PODS, pod } from "../support/widgets.ts";

describe("the client against a real API server", function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let client: Client;

  before(async () => {
    plane = await startControlPlane({ tokens: { "token-one": "one", "token-two": "two" } });
    client = await plane.client();
  });

  after(() => plane?.stop());

  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    );
  const configMap = (name: string, data: Record<string, string> = {}) =>
    ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data }) as KubeObject;

  it("creates, reads, patches, replaces and deletes", async () => {
    const reference = { type: CONFIG_MAPS, namespace: "default", name: "life" };
    const created = await client.create(CONFIG_MAPS, configMap("life", { a: "1" }), { fieldManager: "test" });
    expect(await client.get(reference)).to.deep.equal(created);
    await client.patch(reference, { data: { b: "2" } }, { type: "merge" });
    const jsonPatch = [{ op: "replace", path: "/data/a", value: "3" }];
    expect(await client.patch(reference, jsonPatch, { type: "json" })).to.deep.include({ data: { a: "3", b: "2" } });
    const applied = await client.patch(reference, configMap("life", { c: "4" }), {
      ...{ type: "apply", fieldManager: "applier", force: true },
    });
    expect(applied).to.deep.include({ data: { a: "3", b: "2", c: "4" } });
    expect(await failure(client.update(CONFIG_MAPS, created))).to.satisfy(isConflict);
    expect(await failure(client.create(CONFIG_MAPS, configMap("life")))).to.satisfy(isAlreadyExists);
    await client.delete(reference);
    expect(await failure(client.get(reference))).to.satisfy(isNotFound);
  });

  it("gives the server's own words and the reason of a refusal", async () => {
    const bad = { ...pod("Bad_Name"), spec: {} } as KubeObject;
    const error = (await failure(client.create(PODS, bad))) as ApiError;
    expect(error).to.be.instanceOf(ApiError);
    expect([error.code, error.reason]).to.deep.equal([422, "Invalid"]);
    expect(error.message).to.match(/^Pod "Bad_Name" is invalid: /);
    expect(error.details?.causes?.map(({ field }) => field)).to.include.members(["metadata.name", "spec.containers"]);
  });

  it("deletes only the object with the given UID", async () => {
    const created = await client.create(CONFIG_MAPS, configMap("guarded"));
    const reference = { type: CONFIG_MAPS, namespace: "default", name: "guarded" };
    expect(await failure(client.delete(reference, { uid: "another" }))).to.satisfy(isConflict);
    await client.delete(reference, { uid: created.metadata.uid ?? "" });
    expect(await failure(client.delete(reference, { uid: "another" }))).to.satisfy(isNotFound);
  });

  it("writes nothing in a dry run", async () => {
    await client.create(CONFIG_MAPS, configMap("dry"), { dryRun: true });
    expect(await failure(client.get({ type: CONFIG_MAPS, namespace: "default", name: "dry" }))).to.satisfy(isNotFound);
  });

  it("asks the gate before every write, and for no read", async () => {
    const gated = await plane.client();
    gated.gateWrites(() => {
      throw new NotLeaderError("not now");
    });
    const reference = { type: CONFIG_MAPS, namespace: "default", name: "gated" };
    for (const write of [
      gated.create(CONFIG_MAPS, configMap("gated")),
      gated.patch(reference, {}, { type: "merge" }),
      gated.update(CONFIG_MAPS, configMap("gated")),
      gated.delete(reference),
    ]) {
      expect(await failure(write)).to.be.instanceOf(NotLeaderError);
    }
    expect(await failure(gated.get(reference))).to.satisfy(isNotFound);
  });

  it("asks the gate again for a write that had to wait for a connection", async () => {
    const narrow = await plane.client({ connections: 1 });
    await narrow.list(CONFIG_MAPS, { namespace: "default" });
    let open = true;
    narrow.gateWrites(() => {
      if (!open) throw new NotLeaderError("lost meanwhile");
      open = false;
    });
    const results = await Promise.all([
      failure(narrow.create(CONFIG_MAPS, configMap("first"))),
      failure(narrow.create(CONFIG_MAPS, configMap("queued"))),
    ]);
    expect(results[0]).to.equal(undefined);
    expect(results[1]).to.be.instanceOf(NotLeaderError);
  });

  it("counts requests by verb, resource and code", async () => {
    const records: RequestRecord[] = [];
    const counted = await plane.client({ observer: { request: (record) => records.push(record) } });
    await failure(counted.get({ type: PODS, namespace: "default", name: "none" }));
    await counted.list(PODS);
    expect(records.map(({ verb, method, resource, code }) => [verb, method, resource, code])).to.deep.equal([
      ["get", "GET", "pods", "404"],
      ["list", "GET", "pods", "200"],
    ]);
    expect(records[1]?.seconds).to.be.within(0.0001, 30);
    expect(records[1]?.responseBytes).to.be.greaterThan(50);
  });

  it("ends a request when it is aborted, also one that still waits for a connection", async () => {
    const narrow = await plane.client({ connections: 1 });
    const abort = new AbortController();
    const lists = [narrow.list(PODS), narrow.list(PODS, { signal: abort.signal })];
    abort.abort();
    const [first, second] = await Promise.all(lists.map(failure));
    expect(first).to.equal(undefined);
    expect((second as Error).name).to.equal("AbortError");
    expect((await narrow.list(PODS)).items).to.be.an("array");
  });

  it("holds itself to a rate limit where one is set", async () => {
    const slow = await plane.client({ qps: 20, burst: 2 });
    const startedAt = performance.now();
    await Promise.all([1, 2, 3, 4, 5, 6].map(() => slow.list(CONFIG_MAPS, { namespace: "default" })));
    expect(performance.now() - startedAt).to.be.within(190, 2_000);
  });

  it("uses a rotated token: at once when the old one is refused", async () => {
    const file = join(plane.folder, "token");
    const ca = join(plane.folder, "ca.crt");
    writeFileSync(file, "token-one");
    const clock = new VirtualClock();
    const identity = new ReloadingIdentity({ server: plane.server, ca: { file: ca }, token: { file } }, clock);
    const rotating = new Client({ ...(await plane.connection()), identity });
    const user = async () => {
      const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", metadata: {} };
      const type = { ...review, plural: "selfsubjectreviews", namespaced: false };
      const answer = await rotating.create(type, review as KubeObject);
      return (answer as unknown as { status: { userInfo: { username: string } } }).status.userInfo.username;
    };
    try {
      expect(await user()).to.equal("one");
      writeFileSync(file, "token-two");
      expect(await user(), "the old token is still believed").to.equal("one");
      await clock.advance(10_000);
      expect(await user()).to.equal("two");
      writeFileSync(file, "not-a-token");
      await clock.advance(10_000);
      expect((await failure(user())) as ApiError).to.have.property("code", 401);
      writeFileSync(file, "token-one");
      expect(await user()).to.equal("one");
    } finally {
      await rotating.close();
    }
  });

  it("connects anew when its client certificate was renewed", async () => {
    const at = (name: string) => join(plane.folder, name);
    issueCertificate(plane.folder, "jane", "/O=system:masters/CN=jane", "DNS:jane");
    issueCertificate(plane.folder, "joan", "/O=system:masters/CN=joan", "DNS:joan");
    for (const end of ["crt", "key"]) copyFileSync(at(`jane.${end}`), at(`current.${end}`));
    const clock = new VirtualClock();
    const files = { ca: { file: at("ca.crt") }, cert: { file: at("current.crt") }, key: { file: at("current.key") } };
    const identity = new ReloadingIdentity({ server: plane.server, ...files }, clock);
    const renewed = new Client({ ...(await plane.connection()), identity });
    const createdBy = async (name: string) => {
      await renewed.create(CONFIG_MAPS, configMap(name));
      const { body } = await renewed.raw({
        ...{ method: "POST", path: "/apis/authentication.k8s.io/v1/selfsubjectreviews" },
        body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }),
      });
      return JSON.parse(body.toString()).status.userInfo.username;
    };
    try {
      expect(await createdBy("by-jane")).to.equal("jane");
      for (const end of ["crt", "key"]) renameSync(at(`joan.${end}`), at(`current.${end}`));
      await clock.advance(10_000);
      expect(await createdBy("by-joan")).to.equal("joan");
    } finally {
      await renewed.close();
    }
  });

  it("repeats idempotent requests over a broken connection, and leaves a create of unknown outcome to its caller", async () => {
    const proxy = new TcpProxy(plane.port);
    const port = await proxy.listen();
    const kubeconfig = join(plane.folder, "proxy.kubeconfig");
    writeFileSync(kubeconfig, plane.kubeconfigFor(`https://127.0.0.1:${port}`));
    const proxied = new Client(await loadConnection({ kubeconfig }), { connections: 1 });
    try {
      await proxied.list(CONFIG_MAPS);
      proxy.cutAfter(10);
      setTimeout(() => proxy.pass(), 150);
      expect((await proxied.list(CONFIG_MAPS)).items, "the list was repeated").to.be.an("array");

      proxy.cutAfter(10);
      const error = (await failure(proxied.create(CONFIG_MAPS, configMap("cut")))) as ConnectionError;
      proxy.pass();
      expect(error).to.be.instanceOf(ConnectionError);
      expect(error.sent, error.code + error.message).to.equal(true);
      expect((await client.get(refTo("cut"))).metadata.name, "it had happened").to.equal("cut");

      proxy.refuse();
      setTimeout(() => proxy.pass(), 300);
      await proxied.create(CONFIG_MAPS, configMap("refused-first"));
      expect((await client.get(refTo("refused-first"))).metadata.name).to.equal("refused-first");
    } finally {
      await proxied.close();
      await proxy.close();
    }
  });

  const refTo = (name: string) => ({ type: CONFIG_MAPS, namespace: "default", name });

  it("reaches the server through an HTTP proxy, and says when that refuses", async () => {
    const targets: string[] = [];
    const proxy = createServer();
    proxy.on("connect", (request, socket, head) => {
      targets.push(`${request.url} ${request.headers["proxy-authorization"]}`);
      if (targets.length > 2) {
        socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
        return;
      }
      const server = connect(plane.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        server.write(head);
        server.pipe(socket).pipe(server);
      });
      for (const end of [server, socket]) end.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const { port } = proxy.address() as AddressInfo;
    const behind = { ...(await plane.connection()), proxyUrl: `http://user:p%40ss@127.0.0.1:${port}` };
    const proxied = new Client(behind, { connections: 1, attempts: 1 });
    try {
      expect((await proxied.list(CONFIG_MAPS)).items).to.be.an("array");
      const abort = new AbortController();
      const watched = failure(
        proxied.watch(CONFIG_MAPS, { sendInitialEvents: true, signal: abort.signal }, () => abort.abort()),
      );
      expect((await watched) as Error).to.have.property("name", "AbortError");
      const authorization = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
      expect(targets).to.deep.equal(Array(2).fill(`127.0.0.1:${plane.port} ${authorization}`));
      const third = new Client(behind, { attempts: 1 });
      expect(String(await failure(third.list(CONFIG_MAPS)))).to.include("refused to connect");
      await third.close();
    } finally {
      await proxied.close();
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("says in one line that nobody listens", async () => {
    const nobody = new Client({ ...(await plane.connection()), server: "https://127.0.0.1:1" }, { attempts: 1 });
    const error = (await failure(nobody.list(PODS))) as ConnectionError;
    await nobody.close();
    expect(error).to.be.instanceOf(ConnectionError);
    expect([error.code, error.sent]).to.deep.equal(["ECONNREFUSED", false]);
    expect(error.message).to.match(/^connect ECONNREFUSED 127.0.0.1:1$/);
  });
});

describe("the client on a server's bad day", function () {
  this.timeout(20_000);
  let api: PlainApi;
  let client: Client;

  const start = async (answer: ConstructorParameters<typeof PlainApi>[0], options = {}) => {
    api = new PlainApi(answer);
    client = new Client(await api.listen(), options);
  };

  afterEach(async () => {
    await client.close();
    await api.close();
  });

  const list = { apiVersion: "v1", kind: "PodList", metadata: { resourceVersion: "1" }, items: [] };
  const tooMany = { kind: "Status", code: 429, reason: "TooManyRequests", message: "slow down" };

  it("waits as long as Retry-After says after 429, for creates too", async () => {
    const retries: string[] = [];
    const observer = { retry: (verb: string, _host: string, code: string) => retries.push(`${verb} ${code}`) };
    await start(
      (_request, response, count) =>
        count === 1 ? json(response, 429, tooMany, { "retry-after": "1" }) : json(response, 201, pod("a")),
      { observer },
    );
    const startedAt = performance.now();
    await client.create(PODS, pod("a"));
    expect(performance.now() - startedAt).to.be.within(990, 3_000);
    expect(retries).to.deep.equal(["create 429"]);
  });

  it("gives up after some attempts and reports the 429", async () => {
    await start((_request, response) => json(response, 429, tooMany), { attempts: 3 });
    const error = await client.list(PODS).catch((thrown: ApiError) => thrown);
    expect(error).to.include({ code: 429, message: "slow down" });
    expect(api.requests.length).to.equal(3);
  });

  it("does not wait when waiting would outlast the request's own time", async () => {
    await start((_request, response) => json(response, 429, tooMany, { "retry-after": "30" }));
    const error = await client.list(PODS, { timeoutMs: 5_000 }).catch((thrown: ApiError) => thrown);
    expect(error).to.include({ code: 429, retryAfterMs: 30_000 });
  });

  it("does not repeat a create that was answered with an error, or not at all", async () => {
    await start((request, response, count) =>
      count === 1 ? json(response, 500, { kind: "Status", message: "no" }) : request.socket.destroy(),
    );
    const first = await client.create(PODS, pod("a")).catch((error: unknown) => error);
    const second = await client.create(PODS, pod("b")).catch((error: unknown) => error);
    expect(first).to.be.instanceOf(ApiError);
    expect(second).to.be.instanceOf(ConnectionError);
    expect(api.requests.length).to.equal(2);
  });

  it("repeats after a 5xx with Retry-After what is idempotent, and a create only after 503", async () => {
    const status = (code: number) => ({
      kind: "Status",
      code,
      reason: "ServerTimeout",
      details: { retryAfterSeconds: 0 },
    });
    let codes: number[] = [];
    await start((_request, response) => {
      const code = codes.shift();
      json(response, code ?? 200, code ? status(code) : { ...list, ...pod("a") });
    });
    const attempts = async (first: number, call: () => Promise<unknown>) => {
      codes = [first];
      api.requests.length = 0;
      const error = await call().catch((thrown: ApiError) => thrown.code);
      return [api.requests.length, typeof error === "number" ? error : "done"];
    };
    expect(await attempts(500, () => client.list(PODS))).to.deep.equal([2, "done"]);
    expect(await attempts(503, () => client.create(PODS, pod("a")))).to.deep.equal([2, "done"]);
    expect(await attempts(500, () => client.create(PODS, pod("a")))).to.deep.equal([1, 500]);
  });

  it("gives up a request that gets no answer in time", async () => {
    await start(() => {}, { attempts: 1 });
    const startedAt = performance.now();
    const error = await client.list(PODS, { timeoutMs: 500 }).catch((thrown: ConnectionError) => thrown);
    expect(error).to.include({ name: "ConnectionError", code: "UND_ERR_HEADERS_TIMEOUT", sent: true });
    expect(performance.now() - startedAt).to.be.lessThan(4_000);
  });

  it("refuses an answer that is larger than it wants to hold", async () => {
    await start((_request, response) => json(response, 200, { ...list, pad: "x".repeat(100_000) }), {
      maxResponseBytes: 10_000,
    });
    expect(await client.list(PODS).catch((error: unknown) => error)).to.be.instanceOf(ResponseTooLargeError);
  });

  it("shows the text of a proxy's answer that is no Status", async () => {
    await start((_request, response) => response.writeHead(502).end("<html>Bad Gateway</html>\n"));
    const error = await client.list(PODS).catch((thrown: ApiError) => thrown);
    expect(error).to.include({ code: 502, message: "<html>Bad Gateway</html>" });
  });

  it("ends a watch that has been silent for too long", async () => {
    await start((_request, response) => response.writeHead(200).write("\n"));
    const error = await client.watch(PODS, { silenceMs: 500 }, () => {}).catch((thrown: unknown) => thrown);
    expect(error).to.include({ name: "ConnectionError", code: "UND_ERR_BODY_TIMEOUT" });
  });
});
