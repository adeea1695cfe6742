import { expect } from "chai";
import fc from "fast-check";
import { compareRayVersions, parseRayVersion, rayVersionAtLeast } from "../../../api/v1/ray-version.ts";

describe("a declared Ray version", () => {
  const readable: [string, number[]][] = [
    ["2.52.0", [2, 52, 0]],
    ["v2.53", [2, 53]],
    ["  v2.53.1", [2, 53, 1]],
    ["2.52.0rc1", [2, 52, 0]],
    ["2.53.0.dev0", [2, 53, 0]],
    ["2.53.0-gpu", [2, 53, 0]],
    ["2.05", [2, 5]],
    ["0.8.7", [0, 8, 7]],
    ["1.2.3.4", [1, 2, 3, 4]],
  ];
  for (const [text, version] of readable) {
    it(`is read from "${text}"`, () => expect(parseRayVersion(text)).to.deep.equal(version));
  }

  for (const text of ["", "nightly", "2", "v", "02.5.0", "2.", ".5", "latest-2.52.0", "99999999999999999999.1"]) {
    it(`is not read from "${text}"`, () => {
      expect(parseRayVersion(text)).to.equal(undefined);
      expect(rayVersionAtLeast(text, "0.0")).to.equal(false);
    });
  }

  it("may be missing", () => expect(rayVersionAtLeast(undefined, "2.52.0")).to.equal(false));

  it("counts a pre-release as the release, unlike semver", () => {
    expect(rayVersionAtLeast("2.52.0rc1", "2.52.0")).to.equal(true);
  });

  it("counts missing numbers as zero", () => {
    expect(rayVersionAtLeast("2.53", "2.53.0")).to.equal(true);
    expect(rayVersionAtLeast("2.53.0", "2.53")).to.equal(true);
    expect(rayVersionAtLeast("2.53", "2.53.1")).to.equal(false);
  });

  it("compares numbers, not texts", () => {
    expect(rayVersionAtLeast("2.100.0", "2.52.0")).to.equal(true);
    expect(rayVersionAtLeast("2.6.0", "2.52.0")).to.equal(false);
  });

  const version = fc.array(fc.nat(), { minLength: 2, maxLength: 5 });
  const tail = fc.constantFrom("", "rc1", ".dev0", "-gpu", "+abc", "a");

  it("reads back whatever numbers it was written from, with any text behind", () => {
    fc.assert(
      fc.property(version, tail, fc.constantFrom("", "v", " v", "\t"), (numbers, end, start) => {
        expect(parseRayVersion(`${start}${numbers.join(".")}${end}`)).to.deep.equal(numbers);
      }),
    );
  });

  it("is ordered: exactly one of before, equal, after, and trailing zeros change nothing", () => {
    fc.assert(
      fc.property(version, version, fc.nat({ max: 3 }), (a, b, zeros) => {
        const padded = [...a, ...Array<number>(zeros).fill(0)];
        expect(Math.sign(compareRayVersions(padded, b))).to.equal(-Math.sign(compareRayVersions(b, a)) + 0);
        expect(compareRayVersions(padded, a)).to.equal(0);
      }),
    );
  });

  it("grows with any of its numbers", () => {
    fc.assert(
      fc.property(version, fc.nat({ max: 4 }), (numbers, index) => {
        const at = index % numbers.length;
        const grown = numbers.with(at, (numbers[at] ?? 0) + 1);
        expect(compareRayVersions(grown, numbers)).to.be.above(0);
      }),
    );
  });

  it("never throws and never reads what has no two numbers at its start", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseRayVersion(text);
        if (parsed !== undefined) expect(text).to.match(/^\s*v?\d+\.\d+/);
      }),
    );
  });
});
