// A registry in this process, for names that are always asked for anew: those with the tag `latest`, or none.

import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** Where an image's blobs are, and which of them is its manifest. */
interface Entry {
  readonly layout: string;
  /** `sha256:<hex>` */
  readonly digest: string;
}

/** Serves images of OCI layout folders by the read part of the OCI distribution specification. */
export class Registry {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #images = new Map<string, Entry>();

  /** Starts to listen on a free port of the loopback address; returns the URL. */
  listen(): Promise<string> {
    this.#server.unref();
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () =>
        resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`),
      );
    });
  }

  /** Offers the image with this manifest under a fully qualified name. */
  add(name: string, layout: string, digest: string): void {
    this.#images.set(name, { layout, digest });
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://registry");
    // containerd tells a mirror which registry it stands for
    const host = url.searchParams.get("ns") ?? "docker.io";
    if (url.pathname === "/v2/") return void response.end("{}");
    const [, repository = "", kind, reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    const path = `${host}/${repository}`;
    const file = kind === "blobs" ? this.#blob(path, reference) : this.#manifest(path, reference);
    if (!file) {
      response.writeHead(404, { "content-type": "application/json" });
      return void response.end(JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "not found" }] }));
    }
    response.writeHead(200, {
      "content-type": kind === "blobs" ? "application/octet-stream" : mediaType(file.path),
      "content-length": statSync(file.path).size,
      "docker-content-digest": file.digest,
    });
    if (request.method === "HEAD") return void response.end();
    createReadStream(file.path)
      .on("error", () => response.destroy())
      .pipe(response);
  }

  #manifest(repository: string, reference: string): Blob | undefined {
    if (!reference.startsWith("sha256:")) {
      const entry = this.#images.get(`${repository}:${reference}`);
      return entry && blob(entry.layout, entry.digest);
    }
    return this.#blob(repository, reference);
  }

  #blob(repository: string, digest: string): Blob | undefined {
    for (const [name, { layout }] of this.#images) {
      const found = name.startsWith(`${repository}:`) && blob(layout, digest);
      if (found) return found;
    }
    return undefined;
  }
}

interface Blob {
  readonly path: string;
  readonly digest: string;
}

function blob(layout: string, digest: string): Blob | undefined {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (!hex) return undefined;
  const path = join(layout, "blobs", "sha256", hex);
  return statSync(path, { throwIfNoEntry: false }) && { path, digest };
}

function mediaType(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, "utf8")) as { mediaType: string }).mediaType;
}
