// The check of the layers sees what it is there for: dependency-cruiser passes quietly when it cannot read TypeScript.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { expect } from "chai";

const root = join(import.meta.dirname, "../..");

describe("the layers", function () {
  this.timeout(30_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "layers-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Checks a project in which the first file imports the second one. */
  function check(from: string, to: string, importing: (path: string) => string) {
    for (const [path, text] of [
      [to, "export type T = 1;\nexport const x = 1;\n"],
      [from, importing(`${relative(dirname(from), to).replace(/^(?!\.)/, "./")}`)],
    ] as const) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const tops = [...new Set([from, to].map((path) => path.split("/")[0] ?? ""))];
    const program = join(root, "node_modules/.bin/depcruise");
    const run = spawnSync(program, ["--config", join(root, ".dependency-cruiser.mjs"), ...tops], {
      cwd: folder,
      encoding: "utf8",
    });
    return { code: run.status, text: run.stdout + run.stderr };
  }

  const plain = (path: string) => `import { x } from "${path}";\nconsole.log(x);\n`;
  const forms: [string, (path: string) => string][] = [
    ["an import", plain],
    ["an import of a type", (path) => `import type { T } from "${path}";\nexport const y: T = 1;\n`],
    ["an import at run time", (path) => `const { x } = await import("${path}");\nconsole.log(x);\n`],
    ["an import beside a using declaration", (path) => `${plain(path)}{ using z = { [Symbol.dispose]() {} }; }\n`],
  ];
  for (const [what, importing] of forms) {
    it(`refuse ${what} that points up`, () => {
      const { code, text } = check("api/v1/a.ts", "src/kube/b.ts", importing);
      expect(text).to.contain("api-imports-nothing-of-ours");
      expect(code).to.not.equal(0);
    });
  }

  const forbidden: [string, string, string][] = [
    ["src/kube/a.ts", "api/v1/b.ts", "kube-knows-nothing-of-ray"],
    ["src/kube/a.ts", "src/observability/b.ts", "kube-knows-nothing-of-ray"],
    ["src/ray/a.ts", "src/local/b.ts", "ray-clients-below-controllers"],
    ["src/ray/a.ts", "controllers/raycluster/b.ts", "ray-clients-below-controllers"],
    ["controllers/raycluster/a.ts", "src/cli/b.ts", "controllers-below-front-doors"],
    ["src/webhook/a.ts", "src/cli/b.ts", "front-doors-below-cli"],
    ["src/local/a.ts", "src/cli/b.ts", "local-below-cli"],
    ["src/cli/a.ts", "tools/b.ts", "nothing-imports-tests-or-tools"],
    ["controllers/raycluster/decide.ts", "src/kube/client.ts", "decisions-do-no-io"],
    ["controllers/raycluster/objects/a.ts", "src/ray/b.ts", "decisions-do-no-io"],
  ];
  for (const [from, to, rule] of forbidden) {
    it(`refuse that ${from} imports ${to}`, () => {
      expect(check(from, to, plain).text).to.contain(rule);
    });
  }

  it("refuse that a decision reads a file", () => {
    const { text } = check("controllers/raycluster/decide.ts", "api/v1/b.ts", () => 'import "node:fs";\n');
    expect(text).to.contain("decisions-do-no-io");
  });

  it("let an import pass that points down, and count it", () => {
    const { code, text } = check("src/cli/a.ts", "api/v1/b.ts", plain);
    expect(text).to.contain("no dependency violations found (2 modules, 1 dependencies cruised)");
    expect(code).to.equal(0);
  });
});
