// Writes everything that is generated from the sources:
//
//     node tools/generate.ts            writes what is not fresh, and removes nothing
//     node tools/generate.ts --check    writes nothing; prints stale files and ends with 1 if there are any
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generateConfig } from "./generate-config.ts";
import { generateCrds } from "./generate-crds.ts";
import { generateReference } from "./generate-reference.ts";
import { generateValidators } from "./generate-validators.ts";
import type { GeneratedFile, Generator } from "./generated-file.ts";

/** Every generator; a new one is added here. */
const generators: readonly Generator[] = [generateCrds, generateValidators, generateReference, generateConfig];

const root = new URL("..", import.meta.url).pathname;

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== "--check");
  if (unknown !== undefined) {
    console.error(`unknown argument ${unknown}; usage: node tools/generate.ts [--check]`);
    return 2;
  }
  const files = (await Promise.all(generators.map((generate) => generate()))).flat();
  const stale = files.filter((file) => !isFresh(file));
  if (args.includes("--check")) {
    for (const file of stale) console.error(`stale: ${file.path} (run \`make generate\`)`);
    return stale.length === 0 ? 0 : 1;
  }
  for (const file of stale) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.content);
    console.log(`wrote ${file.path}`);
  }
  return 0;
}

function isFresh(file: GeneratedFile): boolean {
  const existing = readIfPresent(join(root, file.path));
  if (existing === undefined) return false;
  return file.isFresh?.(existing) ?? existing === file.content;
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

process.exitCode = await main(process.argv.slice(2));
