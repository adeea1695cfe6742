import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { readSamples } from "../unit/api/samples.ts";

const root = new URL("../..", import.meta.url).pathname;

describe("the types of the API", () => {
  let folder: string;

  // Inside the repository, so that the compiler finds the same modules and settings.
  before(() => {
    folder = mkdtempSync(join(root, "node_modules", ".types-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("fit every sample RayCluster", function () {
    const samples = readSamples();
    if (samples === undefined) return this.skip();
    expect(samples.length).to.be.above(90);
    const constants = samples.map(
      ({ title, cluster }) => `/* ${title} */ ${JSON.stringify(cluster)} satisfies RayCluster,`,
    );
    expect(compile(`export const samples = [\n${constants.join("\n")}\n];`)).to.equal("");
  });

  it("do not fit what the schema refuses", () => {
    const wrong = [
      '{ groupName: "g", replicas: "1", template: {} }',
      '{ groupName: "g", template: {}, colour: 1 }',
      "{ template: {} }",
    ];
    for (const group of wrong) {
      const spec = `{ headGroupSpec: { template: {} }, workerGroupSpecs: [${group}] }`;
      expect(compile(`export const spec = ${spec} satisfies RayCluster["spec"];`), group).to.match(/error TS/);
    }
  });

  function compile(source: string): string {
    const imports = `import type { RayCluster } from "${join(root, "api/v1/raycluster.ts")}";`;
    writeFileSync(join(folder, "samples.ts"), `${imports}\n${source}\n`);
    const settings = { extends: join(root, "tsconfig.json"), include: ["samples.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));
    try {
      return execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      return (error as { stdout: string }).stdout || String(error);
    }
  }
});
