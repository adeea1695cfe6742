// HTTPS through an HTTP proxy (CONNECT), for kubeconfigs with `proxy-url` and for HTTPS_PROXY.
import { isIP, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { buildConnector } from "undici";
import type { TlsMaterial } from "./identity.ts";

/** A connector for undici that reaches `https` servers through the proxy at `proxyUrl`. */
export function tunnelConnector(proxyUrl: string, tls: TlsMaterial, timeoutMs: number): buildConnector.connector {
  const proxy = new URL(proxyUrl);
  return ({ hostname, port }, callback) => {
    const target = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port || 443}`;
    openTunnel(proxy, target, timeoutMs).then(
      (socket) => {
        const servername = tls.servername ?? (isIP(hostname) ? "" : hostname);
        const secure = tlsConnect({ ...tls, socket, servername, host: hostname, ALPNProtocols: ["http/1.1"] });
        secure.once("error", (error) => callback(error, null));
        secure.once("secureConnect", () => callback(null, secure));
      },
      (error: Error) => callback(error, null),
    );
  };
}

async function openTunnel(proxy: URL, target: string, timeoutMs: number): Promise<Socket> {
  // Loaded only here: 2 MB that nobody without a proxy needs.
  const { request } = proxy.protocol === "https:" ? await import("node:https") : await import("node:http");
  return new Promise((resolve, reject) => {
    const tunnel = request({
      ...{ host: proxy.hostname, port: proxy.port || (proxy.protocol === "https:" ? 443 : 80) },
      ...{ method: "CONNECT", path: target, timeout: timeoutMs, agent: false },
      headers: { host: target, ...credentials(proxy) },
    });
    tunnel.once("timeout", () => tunnel.destroy(new Error(`the proxy ${proxy.host} did not answer in time`)));
    tunnel.once("error", reject);
    tunnel.once("connect", ({ statusCode }, socket) => {
      if (statusCode === 200) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} refused to connect to ${target}: ${statusCode}`));
    });
    tunnel.end();
  });
}

/** The proxy that the environment names for a server, in the way of Go's `ProxyFromEnvironment`. */
export function proxyFromEnvironment(server: string, env: NodeJS.ProcessEnv): string | undefined {
  const { hostname, port, protocol } = new URL(server);
  const proxy = protocol === "https:" ? env.HTTPS_PROXY || env.https_proxy : undefined;
  if (!proxy || hostname === "localhost" || /^127\./.test(hostname) || hostname === "[::1]") return undefined;
  const exceptions = (env.NO_PROXY || env.no_proxy || "").split(",").map((entry) => entry.trim().toLowerCase());
  if (exceptions.some((entry) => entry !== "" && excludes(entry, hostname, port || "443"))) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function credentials(proxy: URL): Record<string, string> {
  if (!proxy.username) return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** One entry of NO_PROXY: `*`, a host or domain (and all below it), with or without a port, or an IPv4 range. */
function excludes(entry: string, hostname: string, port: string): boolean {
  if (entry === "*") return true;
  const range = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(entry);
  if (range) return isIP(hostname) === 4 && inRange(hostname, range[1] ?? "", Number(range[2]));
  const [name = "", only] = entry.split(":");
  if (only !== undefined && only !== port) return false;
  const domain = name.replace(/^\*?\./, "");
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

function inRange(address: string, network: string, bits: number): boolean {
  const number = (text: string) => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  return Math.floor(number(address) / size) === Math.floor(number(network) / size);
}
