// Makes the operator's image from dist/ray-operator.mjs, for `make image`. Writes dist/image: the root file system that
// the Dockerfile copies, and the same as an OCI layout; then gives it to Docker or buildah, where there is one.
//
//   node tools/build-image.ts [IMAGE] [--engine=docker|buildah|none]
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import project from "../package.json" with { type: "json" };
import { run, tryRun } from "../src/local/image/exec.ts";
import { buildOperatorImage } from "../src/local/image/operator-image.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { engine: { type: "string" } } });
// the name in config/default, which `kubectl apply -k .` asks for
const name = positionals[0] ?? `ray-operator:${project.version}`;

const image = await buildOperatorImage({ project: ".", folder: "dist/image", name: qualified(name) });
console.log(`${image.layout}: OCI layout of ${name}, ${Math.round(image.size / 1e6)} MB`);

const engine = values.engine ?? (await anyEngine());
if (engine === "docker") execFileSync("docker", ["build", "--tag", name, "."], { stdio: "inherit" });
else if (engine === "buildah") {
  // vfs needs no mounts, which many sandboxes forbid
  const storage = (await tryRun("buildah", ["--storage-driver=overlay", "info"])) ? [] : ["--storage-driver=vfs"];
  await run("buildah", [...storage, "build", "--tag", name, "."]);
  console.log(`buildah has ${name}`);
}

async function anyEngine(): Promise<string> {
  if (await tryRun("docker", ["version"])) return "docker";
  if (await tryRun("buildah", ["version"])) return "buildah";
  return "none";
}

/** The full form of an image's name, as containerd and OCI layouts want it: `name` is `docker.io/library/name:latest`. */
function qualified(name: string): string {
  const tagged = /:[^/]+$/.test(name) ? name : `${name}:latest`;
  const [first = "", ...rest] = tagged.split("/");
  if (rest.length === 0) return `docker.io/library/${tagged}`;
  return /[.:]|^localhost$/.test(first) ? tagged : `docker.io/${tagged}`;
}
