// Makes dist/ray-operator.mjs, or the file named as argument: the whole program in one file that needs only Node.
import { chmodSync, readFileSync, statSync } from "node:fs";
import { build } from "esbuild";

const output = process.argv[2] ?? "dist/ray-operator.mjs";

/** Runs before anything else: an old Node fails in ways that do not say why. CommonJS parts need a `require`. */
const prelude = `#!/usr/bin/env node
import{createRequire as __createRequire}from"node:module";
if(Number.parseInt(process.versions.node,10)<26){
process.stderr.write("ray-operator: needs Node 26 or newer, this is "+process.version+"\\n");process.exit(1)}
const require=__createRequire(import.meta.url);`;

await build({
  entryPoints: ["src/main.ts"],
  outfile: output,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node26",
  // Syntax that older Nodes cannot even read would keep the prelude from saying which Node is needed.
  supported: { "regexp-named-capture-groups": false, using: false },
  minify: true,
  sourcemap: "linked",
  sourcesContent: false,
  charset: "ascii",
  legalComments: "external",
  banner: { js: prelude },
});
chmodSync(output, 0o755);
// One character outside ASCII makes Node keep the whole text in two bytes a character: 1.4 MB more for the operator.
const foreign = /[^\0-\x7f]/.exec(readFileSync(output, "latin1"));
if (foreign) throw new Error(`${output} has a character outside ASCII at ${foreign.index}: write it as \\u....`);
console.log(`${output}: ${Math.round(statSync(output).size / 1024)} kB`);
