// A small plain-HTTP server for the metrics and the probes.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

/** Gives the answer to a path, or undefined for "not found". */
export type Handler = (path: string, query: URLSearchParams) => Promise<Answer | undefined> | Answer | undefined;

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens on a Go address (`:8080`, `127.0.0.1:0`, `[::1]:80`). Rejects when the address is taken or not ours, with
 * a message of one line. GET and HEAD only.
 */
export async function serve(address: string, handler: Handler): Promise<RunningServer> {
  const { host, port } = splitAddress(address);
  const server = createServer((request, response) => {
    void respond(request, response, handler);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new Error(`cannot listen on ${address}: ${error.message}`)));
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

function splitAddress(address: string): { host: string | undefined; port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host: host === "" ? undefined : host, port: Number(address.slice(colon + 1)) };
}

async function respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
  const { status, contentType = "text/plain; charset=utf-8", body } = await answer(request, handler);
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function answer(request: IncomingMessage, handler: Handler): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") return { status: 405, body: "method not allowed\n" };
  try {
    const url = new URL(request.url ?? "/", "http://server");
    return (await handler(url.pathname, url.searchParams)) ?? { status: 404, body: "404 page not found\n" };
  } catch (error) {
    return { status: 500, body: `${error instanceof Error ? error.message : error}\n` };
  }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
