import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { expect } from "chai";
import { freePorts } from "../../../src/local/ports.ts";

describe("free ports", () => {
  const occupy = (port: number): Promise<Server> =>
    new Promise((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve(server));
    });

  it("differ from each other and can be listened on", async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).to.equal(20);
    for (const port of ports.slice(0, 3)) (await occupy(port)).close();
  });

  it("are none that the kernel gives to outgoing connections", async () => {
    const first = Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
    for (const port of await freePorts(20)) expect(port).to.be.below(first);
  });

  it("are the preferred ones while these are free", async () => {
    const [wish = 0] = await freePorts(1);
    const [first, second] = await freePorts(2, "127.0.0.1", [wish]);
    expect(first).to.equal(wish);
    expect(second).to.not.equal(wish);
  });

  it("are the preferred ones when these come free within the given time", async () => {
    const [wish = 0] = await freePorts(1);
    const taken = await occupy(wish);
    setTimeout(() => taken.close(), 200);
    expect(await freePorts(1, "127.0.0.1", [wish], 5_000)).to.deep.equal([wish]);
  });

  it("are others when a preferred one is taken", async () => {
    const [wish = 0] = await freePorts(1);
    const taken = await occupy(wish);
    try {
      const [port] = await freePorts(1, "127.0.0.1", [wish]);
      expect(port).to.be.a("number").and.not.equal(wish);
    } finally {
      taken.close();
    }
  });
});
