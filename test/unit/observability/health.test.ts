import { expect } from "chai";
import { healthHandler } from "../../../src/observability/health.ts";
import type { Answer } from "../../../src/observability/http-server.ts";

describe("the health endpoints", () => {
  let synced = false;
  const handler = healthHandler({
    healthz: {},
    readyz: { caches: () => (synced ? undefined : "pods are not listed yet") },
  });
  const get = (path: string, query = "") => handler(path, new URLSearchParams(query)) as Answer | undefined;
  beforeEach(() => {
    synced = false;
  });

  it("say ok on /healthz and on KubeRay's sub-checks", () => {
    for (const path of ["/healthz", "/healthz/", "/healthz/healthz", "/readyz/readyz"]) {
      expect(get(path)).to.deep.equal({ status: 200, body: "ok" });
    }
  });

  it("say 500 and why on /readyz while a check fails, and 200 once it passes", () => {
    expect(get("/readyz")).to.deep.include({ status: 500 });
    expect(get("/readyz")?.body).to.contain("[-]caches failed: pods are not listed yet");
    expect(get("/readyz/caches")).to.deep.equal({ status: 500, body: "pods are not listed yet\n" });
    synced = true;
    expect(get("/readyz")).to.deep.equal({ status: 200, body: "ok" });
    expect(get("/readyz/caches")?.status).to.equal(200);
  });

  it("list every check with ?verbose and leave out those of ?exclude", () => {
    expect(get("/readyz", "verbose&exclude=caches")).to.deep.equal({
      status: 200,
      body: "[+]readyz ok\nreadyz check passed\n",
    });
  });

  it("know no other paths", () => {
    for (const path of ["/", "/livez", "/readyz/nope", "/readyz/caches/x", "/healthz/caches"]) {
      expect(get(path), path).to.equal(undefined);
    }
  });
});
