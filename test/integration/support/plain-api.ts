import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Connection } from "../../../src/kube/kubeconfig.ts";

/** An HTTP server that answers as a test tells it: for what a real API server does only on a bad day. */
export class PlainApi {
  readonly requests: { method: string; url: string; authorization: string | undefined }[] = [];
  readonly #server: Server;

  constructor(answer: (request: IncomingMessage, response: ServerResponse, count: number) => void) {
    this.#server = createServer((request, response) => {
      const { method = "", url = "", headers } = request;
      this.requests.push({ method, url, authorization: headers.authorization });
      request.resume().on("end", () => answer(request, response, this.requests.length));
    });
  }

  async listen(token = "t"): Promise<Connection> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    return {
      server: `http://127.0.0.1:${port}`,
      identity: { current: () => ({ authorization: `Bearer ${token}`, tls: NO_TLS }), invalidate: () => {} },
      ...{ namespace: "default", source: "test", headers: {}, proxyUrl: undefined },
    };
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

const NO_TLS = {};

/** Answers with a JSON body. */
export function json(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
