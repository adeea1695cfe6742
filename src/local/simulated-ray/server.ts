// The sockets of simulated Ray: one server for all pods. Which pod a connection is for says its own local address,
// or, through the API server's egress proxy, the address that was asked for.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Destination, Directory } from "./pods.ts";
import type { RayAnswer, SimulatedRay } from "./ray.ts";

/** Longer bodies are refused: no manifest has one. */
const MAX_BODY = 8 * 1024 * 1024;

/** Listens for all pods at once. */
export class RayServer {
  readonly #ray: SimulatedRay;
  readonly #directory: Directory;
  readonly #listening = new Map<number, Server>();
  readonly #targets = new WeakMap<Duplex, Address>();
  readonly #http: Server;

  constructor(ray: SimulatedRay, directory: Directory) {
    this.#ray = ray;
    this.#directory = directory;
    this.#http = this.#server();
  }

  /** Answers connections to this port of every pod; does nothing when it does so already. */
  listen(port: number): void {
    if (this.#listening.has(port) || port <= 0) return;
    const server = this.#server();
    this.#listening.set(port, server);
    server.on("error", (error) => console.error(`port ${port}: ${error.message}`));
    server.listen(port, "0.0.0.0");
  }

  /** Plays the HTTP proxy at the given Unix socket through which the API server calls into the cluster. */
  listenAsProxy(socketPath: string, isOurs: (address: string) => boolean): void {
    const proxy = createServer((_, response) => response.writeHead(405).end());
    proxy.on("connect", (request: IncomingMessage, client: Duplex, head: Buffer) => {
      const target = parseAddress(request.url ?? "");
      client.on("error", () => client.destroy());
      if (head.length > 0) client.unshift(head);
      if (!target) return void client.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      if (isOurs(target.address)) this.#accept(client, target);
      else passOn(client, target);
    });
    proxy.listen(socketPath);
  }

  #accept(client: Duplex, target: Address): void {
    const destination = this.#directory.destination(target.address, target.port);
    if (!destination || !this.#ray.accepts(destination)) {
      return void client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    }
    this.#targets.set(client, target);
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    this.#http.emit("connection", client);
  }

  #server(): Server {
    const server = createServer((request, response) => this.#answer(request, response));
    server.keepAliveTimeout = 60_000;
    server.on("connection", (socket: Socket) => {
      const destination = this.#destination(socket);
      // What a kernel does where nothing listens.
      if (!destination || !this.#ray.accepts(destination)) socket.resetAndDestroy?.();
    });
    return server;
  }

  #destination(socket: Duplex): Destination | undefined {
    const target = this.#targets.get(socket) ?? localAddress(socket as Socket);
    return target && this.#directory.destination(target.address, target.port);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await readBody(request);
      // Anew for every request: the pod behind a connection that stays open may have gone.
      const destination = this.#destination(request.socket);
      if (!destination) return void request.socket.destroy();
      if (this.#ray.hangs(destination)) return;
      const { method = "GET", url = "/", headers } = request;
      send(response, this.#ray.answer(destination, { method, url, headers, body }));
    } catch (error) {
      send(response, { status: 500, body: error instanceof Error ? error.message : String(error) });
    }
  }
}

interface Address {
  readonly address: string;
  readonly port: number;
}

function parseAddress(text: string): Address | undefined {
  const match = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(text);
  return match ? { address: match[1] ?? "", port: Number(match[2]) } : undefined;
}

function localAddress({ localAddress: address, localPort: port }: Socket): Address | undefined {
  return address === undefined || port === undefined ? undefined : { address, port };
}

function passOn(client: Duplex, { address, port }: Address): void {
  const upstream = connect(port, address, () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    upstream.pipe(client);
    client.pipe(upstream);
  });
  upstream.on("error", () => client.destroy());
  client.on("close", () => upstream.destroy());
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, { status, body, contentType }: RayAnswer): void {
  const isText = typeof body === "string";
  response.writeHead(status, { "content-type": contentType ?? (isText ? "text/plain" : "application/json") });
  response.end(isText ? body : JSON.stringify(body));
}
