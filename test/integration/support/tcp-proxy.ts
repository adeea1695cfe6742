import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy in front of the API server, with which a test cuts connections at a chosen byte. */
export class TcpProxy {
  readonly #target: number;
  readonly #pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
  readonly #server: Server;
  /** Bytes of answers that still pass; then every connection is cut. Undefined: no limit. */
  #answerBytes: number | undefined;
  #refusing = false;
  /** Connections made so far. */
  connections = 0;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (typeof address !== "object" || !address) throw new Error("the proxy has no address");
    return address.port;
  }

  /** Cuts every connection once `bytes` more bytes of answers have passed. */
  cutAfter(bytes: number): void {
    this.#answerBytes = bytes;
  }

  /** Lets everything pass (again). */
  pass(): void {
    this.#answerBytes = undefined;
    this.#refusing = false;
  }

  /** Cuts all connections and accepts none until `pass`. */
  refuse(): void {
    this.#refusing = true;
    this.cutAll();
  }

  cutAll(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cutAll();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    this.connections++;
    const server = connect(this.#target, "127.0.0.1");
    const pair = { client, server };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.on("data", (chunk) => server.write(chunk));
    server.on("data", (chunk: Buffer) => this.#answer(client, chunk));
  }

  #answer(client: Socket, chunk: Buffer): void {
    if (this.#answerBytes === undefined) {
      client.write(chunk);
      return;
    }
    const passing = chunk.subarray(0, this.#answerBytes);
    this.#answerBytes -= passing.length;
    if (passing.length > 0) client.write(passing);
    if (passing.length < chunk.length) setImmediate(() => this.cutAll());
  }
}
