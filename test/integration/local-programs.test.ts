import { mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ensurePrograms } from "../../src/local/programs.ts";
import { silent } from "../../src/local/progress.ts";
import { newFolder, remove, runScript } from "./local-support.ts";

describe("the programs of a local cluster", function () {
  // Compiling the smallest of them takes seconds, and a minute with an empty cache of Go's.
  this.timeout(180_000);
  let cache: string;
  beforeEach(() => {
    cache = newFolder();
  });
  afterEach(() => remove(cache));

  const fake = (folder: string, ...names: string[]) => {
    mkdirSync(folder, { recursive: true });
    for (const name of names) writeFileSync(join(folder, name), "#!/bin/sh\n", { mode: 0o755 });
    return folder;
  };

  it("are those of KUBEBUILDER_ASSETS where that has all that is needed", async () => {
    const assets = fake(join(cache, "assets"), "etcd", "kube-apiserver", "kubectl");
    const environment = { RAY_OPERATOR_CACHE: cache, KUBEBUILDER_ASSETS: assets };
    expect(await ensurePrograms(["etcd", "kube-apiserver"], silent, environment)).to.equal(assets);
  });

  it("are built where KUBEBUILDER_ASSETS lacks one, and stand beside those it has", async () => {
    const assets = fake(join(cache, "assets"), "etcd");
    const environment = { RAY_OPERATOR_CACHE: cache, KUBEBUILDER_ASSETS: assets };
    const folder = await ensurePrograms(["etcd", "ray-local"], silent, environment);
    expect(readlinkSync(join(folder, "etcd"))).to.equal(join(assets, "etcd"));
    expect(readlinkSync(join(folder, "ray-local"))).to.match(/ray-local-[0-9a-f]{16}\/ray-local$/);
  });

  it("are built once when two processes need them at the same time", async () => {
    const script = `
      import { ensurePrograms } from "./src/local/programs.ts";
      import { progressOn } from "./src/local/progress.ts";
      let text = "";
      const progress = progressOn({ write: (part) => (text += part) });
      const folder = await ensurePrograms(["ray-local"], progress, { RAY_OPERATOR_CACHE: ${JSON.stringify(cache)} });
      console.log(JSON.stringify({ folder, text }));`;
    const lines = await Promise.all([runScript(script).nextLine(), runScript(script).nextLine()]);
    const [one, two] = lines.map((line) => JSON.parse(line) as { folder: string; text: string });
    expect(one?.folder).to.equal(two?.folder);
    expect(lines.filter((line) => line.includes("Built ray-local"))).to.have.length(1);
    expect(lines.filter((line) => line.includes("waiting for it"))).to.have.length(1);
    const built = readdirSync(join(cache, "programs")).filter((name) => name.startsWith("ray-local-"));
    expect(readdirSync(join(cache, "programs", built[0] ?? ""))).to.deep.equal(["ray-local"]);
  });

  it("cannot be built without Go, which is said with what to do", async () => {
    const path = process.env.PATH;
    // Only Node is left on the path.
    const bin = join(cache, "bin");
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, "node"));
    process.env.PATH = bin;
    try {
      const error = await ensurePrograms(["ray-local"], silent, { RAY_OPERATOR_CACHE: cache }).catch(
        (reason: Error) => reason,
      );
      expect((error as Error).message)
        .to.match(/^Go is needed to build ray-local, but the command `go` was not found/)
        .and.include("KUBEBUILDER_ASSETS");
    } finally {
      process.env.PATH = path;
    }
  });
});
