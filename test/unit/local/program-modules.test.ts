import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { localSources } from "../../../src/local/paths.ts";
import { modules } from "../../../src/local/program-modules.ts";

describe("the pinned programs", () => {
  const goMod = (folder: string) => readFileSync(join(localSources(), "programs", folder, "go.mod"), "utf8");

  it("say the version that they are built from", () => {
    const pinned = /k8s\.io\/kubernetes (v[\d.]+)$/m.exec(goMod("kubernetes"))?.[1];
    const kubernetes = modules.find((one) => one.folder === "kubernetes");
    expect(pinned).to.match(/^v1\.34\./);
    expect(kubernetes?.ldflags).to.include(`gitVersion=${pinned} `);
  });

  it("need no newer Go than the documentation says", () => {
    for (const { folder } of modules) expect(/^go (.*)$/m.exec(goMod(folder))?.[1], folder).to.equal("1.24.0");
  });
});
