import { expect } from "chai";
import { type FlagDefinition, FlagError, parseGoFlags } from "../../../src/cli/go-flags.ts";

const definitions: FlagDefinition[] = [
  { name: "addr", type: "string", usage: "" },
  { name: "leader", type: "bool", usage: "" },
  { name: "workers", type: "int", usage: "" },
  { name: "qps", type: "float", usage: "" },
  { name: "wait", type: "duration", usage: "" },
  { name: "level", type: "string", usage: "", check: (text) => (text === "bad" ? "must be good" : undefined) },
];

const parse = (...args: string[]) => {
  const { values, rest } = parseGoFlags(definitions, args);
  return { values: Object.fromEntries(values), rest };
};

describe("flags in Go's syntax", () => {
  const accepted: [string, string[], Record<string, unknown>, string[]?][] = [
    ["two dashes and an equals sign", ["--addr=:80"], { addr: ":80" }],
    ["one dash and an equals sign", ["-addr=:80"], { addr: ":80" }],
    ["the value as the next argument", ["--addr", ":80"], { addr: ":80" }],
    ["a next argument that looks like a flag as the value", ["--addr", "--leader"], { addr: "--leader" }],
    ["an empty value", ["--addr="], { addr: "" }],
    ["a value with an equals sign in it", ["--addr=a=b"], { addr: "a=b" }],
    ["the last of two", ["--addr=a", "--addr=b"], { addr: "b" }],
    ["a boolean without a value as true", ["--leader"], { leader: true }],
    ["a boolean after an equals sign", ["--leader=false"], { leader: false }],
    ["Go's other spellings of a boolean", ["-leader=F"], { leader: false }],
    [
      "a boolean before the word false as true, and stops there",
      ["--leader", "false", "--addr=a"],
      { leader: true },
      ["false", "--addr=a"],
    ],
    ["nothing after a double dash", ["--leader", "--", "--addr=a"], { leader: true }, ["--addr=a"]],
    ["nothing after a lone dash", ["-", "--addr=a"], {}, ["-", "--addr=a"]],
    ["nothing after an empty argument", ["--leader", "", "--addr=a"], { leader: true }, ["", "--addr=a"]],
    ["whole numbers", ["--workers=12"], { workers: 12 }],
    ["negative whole numbers", ["--workers", "-3"], { workers: -3 }],
    ["hexadecimal and octal numbers", ["--workers=0x10", "--qps=1"], { workers: 16, qps: 1 }],
    ["a leading zero as octal", ["--workers=010"], { workers: 8 }],
    ["zero", ["--workers=0"], { workers: 0 }],
    ["fractions and exponents", ["--qps=1.5e2"], { qps: 150 }],
    ["durations as milliseconds", ["--wait=1m30s"], { wait: 90_000 }],
    ["durations with fractions", ["--wait=1.5s"], { wait: 1_500 }],
    ["durations in microseconds, in both spellings", ["--wait=5us", "--wait=1500\u00b5s"], { wait: 1.5 }],
  ];
  for (const [what, args, values, rest = []] of accepted) {
    it(`takes ${what}`, () => {
      expect(parse(...args)).to.deep.equal({ values, rest });
    });
  }

  const refused: [string, string[], string][] = [
    ["an unknown flag", ["--nope"], "flag provided but not defined: -nope"],
    [
      "a slip of the pen, and names the flag meant",
      ["--leadr"],
      "flag provided but not defined: -leadr (did you mean --leader?)",
    ],
    ["three dashes", ["---addr=a"], "bad flag syntax: ---addr=a"],
    ["a flag without a name", ["--=a"], "bad flag syntax: --=a"],
    ["a missing value", ["--addr"], "flag needs an argument: -addr"],
    ["a word for a boolean", ["--leader=maybe"], 'invalid boolean value "maybe" for -leader: parse error'],
    ["a fraction for a whole number", ["--workers=1.5"], 'invalid value "1.5" for flag -workers: parse error'],
    ["a word for a number", ["--qps", "many"], 'invalid value "many" for flag -qps: parse error'],
    ["a duration without a unit", ["--wait=15"], 'invalid value "15" for flag -wait: parse error'],
    ["an octal number with an eight", ["--workers=08"], 'invalid value "08" for flag -workers: parse error'],
    ["what the flag's own check refuses", ["--level=bad"], 'invalid value "bad" for flag -level: must be good'],
  ];
  for (const [what, args, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => parse(...args)).to.throw(FlagError, message);
    });
  }
});
