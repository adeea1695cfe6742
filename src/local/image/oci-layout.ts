import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ImageConfig } from "./recipe.ts";

/** An entry of an OCI index or manifest (OCI image specification, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:<hex>`; the content is in `blobs/sha256/<hex>`. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface LayoutImage {
  /** Fully qualified, with a tag. */
  readonly name: string;
  readonly layers: readonly Descriptor[];
  readonly config: ImageConfig;
}

const mediaTypes = {
  layer: "application/vnd.oci.image.layer.v1.tar",
  config: "application/vnd.oci.image.config.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
} as const;

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Writes an OCI image layout: a folder that `ctr images import` (as a tar), `skopeo copy oci:` and registries read.
 * Writing one is a few JSON files beside a tar per layer. A builder would copy every file several times to the same
 * end, and needs mounts that a sandbox often forbids.
 */
export async function createLayout(folder: string): Promise<void> {
  await mkdir(blobFolder(folder), { recursive: true });
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/**
 * Adds what `tar` writes with these arguments as a layer. Not compressed: packing half a gigabyte would take longer
 * than everything done with the result.
 */
export async function addLayer(folder: string, tarArguments: readonly string[]): Promise<Descriptor> {
  const partial = join(blobFolder(folder), `partial-${randomUUID()}`);
  const tar = spawn("tar", ["--create", "--file=-", "--numeric-owner", "--sort=name", ...tarArguments], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaints = "";
  tar.stderr.on("data", (chunk) => {
    complaints += chunk;
  });
  const closed = once(tar, "close");
  const hash = createHash("sha256");
  await pipeline(
    tar.stdout,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(partial),
  );
  const [code] = await closed;
  if (code !== 0) throw new Error(`tar of a layer failed (exit ${code}): ${complaints.trim()}`);
  const { size } = await stat(partial);
  return keepBlob(folder, partial, mediaTypes.layer, hash.digest("hex"), size);
}

/** Writes configurations and manifests of the images, and the index that names them. Call once, after all layers. */
export async function writeIndex(folder: string, images: readonly LayoutImage[]): Promise<void> {
  const manifests: Descriptor[] = [];
  for (const image of images) {
    const config = await addJson(folder, mediaTypes.config, {
      architecture: architectures[process.arch] ?? process.arch,
      os: "linux",
      config: image.config,
      rootfs: { type: "layers", diff_ids: image.layers.map((layer) => layer.digest) },
    });
    const manifest = await addJson(folder, mediaTypes.manifest, {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config,
      layers: image.layers,
    });
    const tag = image.name.slice(image.name.lastIndexOf(":") + 1);
    manifests.push({
      ...manifest,
      // containerd reads the first, other tools the second
      annotations: { "io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": tag },
    });
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
}

async function addJson(folder: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const text = JSON.stringify(value);
  const partial = join(blobFolder(folder), `partial-${randomUUID()}`);
  await writeFile(partial, text);
  const digest = createHash("sha256").update(text).digest("hex");
  return keepBlob(folder, partial, mediaType, digest, Buffer.byteLength(text));
}

async function keepBlob(
  folder: string,
  partial: string,
  mediaType: string,
  hex: string,
  size: number,
): Promise<Descriptor> {
  await rename(partial, join(blobFolder(folder), hex));
  return { mediaType, digest: `sha256:${hex}`, size };
}

function blobFolder(folder: string): string {
  return join(folder, "blobs", "sha256");
}
