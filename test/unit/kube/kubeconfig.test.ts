import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type Identity, ReloadingIdentity } from "../../../src/kube/identity.ts";
import { type Connection, KubeconfigError, loadConnection } from "../../../src/kube/kubeconfig.ts";
import { proxyFromEnvironment } from "../../../src/kube/proxy-tunnel.ts";
import { VirtualClock } from "./support.ts";

describe("finding the cluster", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const config = (server: string, user = "{token: secret}") => `
apiVersion: v1
kind: Config
current-context: main
clusters: [{name: c, cluster: {server: "${server}"}}]
contexts: [{name: main, context: {cluster: c, user: u, namespace: team}}]
users: [{name: u, user: ${user}}]
`;
  const identityOf = async (connection: Connection): Promise<Identity> => connection.identity.current();
  const failure = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "no error",
      (error: Error) => `${error.name}: ${error.message}`,
    );

  it("takes the given file, its current context, its namespace and its token", async () => {
    const connection = await loadConnection({ kubeconfig: write("config", config("https://a:6443/")) });
    expect(connection).to.deep.include({ server: "https://a:6443", namespace: "team" });
    expect((await identityOf(connection)).authorization).to.equal("Bearer secret");
  });

  it("prefers --kubeconfig to KUBECONFIG, that to the service account, and that to the home directory", async () => {
    const account = join(folder, "account");
    const home = join(folder, ".kube");
    for (const path of [account, home]) mkdirSync(path);
    for (const [file, text] of Object.entries({ token: "t", "ca.crt": "CA", namespace: "pod-ns\n" })) {
      writeFileSync(join(account, file), text);
    }
    writeFileSync(join(home, "config"), config("https://home"));
    const flag = write("flag", config("https://flag"));
    const env = { KUBECONFIG: write("env", config("https://env")), KUBERNETES_SERVICE_HOST: "fd00::1", HOME: folder };
    const serverOf = async (options: Parameters<typeof loadConnection>[0]) =>
      (await loadConnection({ serviceAccountPath: account, ...options })).server;

    expect(await serverOf({ kubeconfig: flag, env })).to.equal("https://flag");
    expect(await serverOf({ env })).to.equal("https://env");
    const { KUBECONFIG: _, ...inPod } = env;
    const pod = await loadConnection({
      serviceAccountPath: account,
      env: { ...inPod, KUBERNETES_SERVICE_PORT: "443" },
    });
    expect([pod.server, pod.namespace]).to.deep.equal(["https://[fd00::1]:443", "pod-ns"]);
    expect(await identityOf(pod)).to.deep.equal({ authorization: "Bearer t", tls: { ca: "CA" } });
    expect(await serverOf({ env: { HOME: folder } })).to.equal("https://home");
  });

  it("merges the files of KUBECONFIG, the first that names something wins, and skips missing ones", async () => {
    const one = write("one", "current-context: main\nusers: [{name: u, user: {token: first}}]\n");
    const two = write("two", config("https://two"));
    const env = { KUBECONFIG: [one, join(folder, "missing"), two].join(":") };
    const connection = await loadConnection({ env });
    expect(connection.server).to.equal("https://two");
    expect((await identityOf(connection)).authorization).to.equal("Bearer first");
  });

  it("reads certificates from data and from files relative to the kubeconfig", async () => {
    write("client.crt", "CERT");
    const data = Buffer.from("KEY").toString("base64");
    const text = config("https://a", `{client-certificate: client.crt, client-key-data: ${data}}`);
    const { tls } = await identityOf(await loadConnection({ kubeconfig: write("config", text) }));
    expect(tls).to.deep.equal({ cert: "CERT", key: "KEY" });
  });

  it("passes on impersonation, and refuses auth providers that are gone", async () => {
    const as = config("https://a", "{as: jane, as-groups: [dev, ops]}");
    expect((await loadConnection({ kubeconfig: write("as", as) })).headers).to.deep.equal({
      "impersonate-user": "jane",
      "impersonate-group": ["dev", "ops"],
    });
    const old = write("old", config("https://a", "{auth-provider: {name: gcp}}"));
    expect(await failure(loadConnection({ kubeconfig: old }))).to.match(/KubeconfigError: .*"gcp" was removed/);
  });

  it("says in one line what is wrong", async () => {
    const broken = write("broken", "{a: [");
    const cases: [string, Promise<unknown>][] = [
      ["cannot read kubeconfig /no/such/file", loadConnection({ kubeconfig: "/no/such/file" })],
      ["is not a kubeconfig", loadConnection({ kubeconfig: broken })],
      ['no context "x"', loadConnection({ kubeconfig: write("c", config("https://a")), context: "x" })],
      ["no current context", loadConnection({ kubeconfig: write("empty", "apiVersion: v1\n") })],
      ["which has no server", loadConnection({ kubeconfig: write("noserver", config("")) })],
      ['the server "nowhere" is not a URL', loadConnection({ kubeconfig: write("nourl", config("nowhere")) })],
      [
        "names a file that cannot be read: ENOENT",
        loadConnection({ kubeconfig: write("nofile", config("https://a", "{tokenFile: absent}")) }),
      ],
      ["names no existing file", loadConnection({ env: { KUBECONFIG: "/nowhere" } })],
      ["no cluster: give --kubeconfig", loadConnection({ env: { HOME: folder }, serviceAccountPath: folder })],
    ];
    for (const [expected, attempt] of cases) {
      const message = await failure(attempt);
      expect(message)
        .to.include(expected)
        .and.to.match(/^KubeconfigError: [^\n]+$/);
    }
    expect(new KubeconfigError("x")).to.be.instanceOf(Error);
  });

  it("takes the proxy of the kubeconfig, else the one that the environment names for the server", () => {
    const env = { HTTPS_PROXY: "proxy:3128", NO_PROXY: "svc, .corp.example, 10.0.0.0/8,api.example:6443" };
    const via = (server: string) => proxyFromEnvironment(server, env);
    for (const server of ["https://k8s.example:6443", "https://192.168.0.1", "https://api.example", "https://mysvc"]) {
      expect(via(server), server).to.equal("http://proxy:3128");
    }
    for (const server of [
      ...["https://10.96.0.1:443", "https://kubernetes.default.svc", "https://corp.example", "https://a.corp.example"],
      ...["https://api.example:6443", "https://127.0.0.1:6443", "https://localhost", "http://k8s.example"],
    ]) {
      expect(via(server), server).to.equal(undefined);
    }
    expect(proxyFromEnvironment("https://a", { HTTPS_PROXY: "http://p", NO_PROXY: "*" })).to.equal(undefined);
  });

  describe("the identity", () => {
    it("reads a rotated token after ten seconds, and at once when the server has refused the old one", async () => {
      const clock = new VirtualClock();
      const token = write("token", "one");
      const identity = new ReloadingIdentity({ server: "https://a", token: { file: token } }, clock);
      const current = async () => (await identity.current()).authorization;
      expect(await current()).to.equal("Bearer one");
      write("token", "two\n");
      expect(await current()).to.equal("Bearer one");
      await clock.advance(10_000);
      expect(await current()).to.equal("Bearer two");
      write("token", "three");
      identity.invalidate();
      expect(await current()).to.equal("Bearer three");
    });

    it("keeps what it has while its files cannot be read", async () => {
      const clock = new VirtualClock();
      const token = write("token", "one");
      const identity = new ReloadingIdentity({ server: "https://a", token: { file: token } }, clock);
      await identity.current();
      rmSync(token);
      await clock.advance(10_000);
      expect((await identity.current()).authorization).to.equal("Bearer one");
      write("token", "two");
      await clock.advance(10_000);
      expect((await identity.current()).authorization).to.equal("Bearer two");
    });

    it("is a new TLS identity only when a certificate has changed", async () => {
      const clock = new VirtualClock();
      const settings = { server: "https://a", cert: { file: write("crt", "one") }, key: { file: write("key", "k") } };
      const identity = new ReloadingIdentity(settings, clock);
      const first = (await identity.current()).tls;
      await clock.advance(10_000);
      expect((await identity.current()).tls).to.equal(first);
      write("crt", "two");
      await clock.advance(10_000);
      expect((await identity.current()).tls).to.deep.equal({ cert: "two", key: "k" });
    });

    it("runs an exec plug-in once for many requests, and again shortly before its credential expires", async () => {
      const clock = new VirtualClock();
      const count = join(folder, "count");
      const script = write(
        "plugin.sh",
        `echo run >> ${count}
n=$(wc -l < ${count})
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t'$n-$EXTRA'","expirationTimestamp":"2026-01-01T00:01:00Z"}}'`,
      );
      const exec = {
        ...{ apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: [script] },
        env: [{ name: "EXTRA", value: "x" }],
      };
      const identity = new ReloadingIdentity({ server: "https://a", exec }, clock);
      const both = await Promise.all([identity.current(), identity.current()]);
      expect(both.map(({ authorization }) => authorization)).to.deep.equal(["Bearer t1-x", "Bearer t1-x"]);
      await clock.advance(29_000);
      expect((await identity.current()).authorization).to.equal("Bearer t1-x");
      await clock.advance(1_000);
      expect((await identity.current()).authorization).to.equal("Bearer t2-x");
    });

    it("tells what a failing exec plug-in said, and how to install a missing one", async () => {
      const run = async (command: string, args: string[], installHint = "") => {
        const exec = { apiVersion: "client.authentication.k8s.io/v1", command, args, installHint };
        return failure(Promise.resolve(new ReloadingIdentity({ server: "https://a", exec }).current()));
      };
      expect(await run("sh", ["-c", "echo not logged in >&2; exit 1"])).to.include("not logged in");
      expect(await run("/no/such/plugin", [], "install it with x")).to.include("install it with x");
      expect(await run("echo", ['{"status":{}}'])).to.include("neither a token nor a certificate");
    });
  });
});
