import { expect } from "chai";
import fc from "fast-check";
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  multiplyQuantity,
  parseQuantity,
  type Quantity,
  quantityToNumber,
  roundUpQuantity,
  ZERO,
} from "../../../controllers/shared/quantity.ts";

const read = (text: string | number): Quantity => parseQuantity(text) ?? expect.fail(`${text} is a quantity`);

/** Non-negative quantities as people write them: those that the API server accepts in resources. */
const written = fc
  .tuple(
    fc.nat({ max: 5_000_000 }),
    fc.option(fc.nat({ max: 999 }), { nil: undefined }),
    fc.constantFrom("", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E-3"),
  )
  .map(([whole, fraction, suffix]) => `${whole}${fraction === undefined ? "" : `.${fraction}`}${suffix}`);

describe("Quantities", () => {
  // Texts and results of k8s.io/apimachinery v0.36.0.
  const canonical: [string | number, string][] = [
    ["1000m", "1"],
    ["1024Mi", "1Gi"],
    ["0.5Gi", "512Mi"],
    ["1.5Gi", "1536Mi"],
    ["1.5e3", "1500"],
    ["1500e0", "1500e0"],
    ["1000000", "1M"],
    ["0.1", "100m"],
    ["2000000u", "2"],
    ["1e3", "1e3"],
    ["1000e3", "1e6"],
    ["12E2", "1200"],
    ["0.0Ki", "0"],
    ["7.941M", "7.941M"],
    ["4850.622", "4850.622"],
    ["96G", "96G"],
    ["1E", "1E"],
    ["0.5Ki", "512"],
    ["1025Ki", "1025Ki"],
    [2, "2"],
    [0.5, "500m"],
  ];
  for (const [text, expected] of canonical) {
    it(`stores ${JSON.stringify(text)} as ${expected}`, () => expect(canonicalQuantity(text)).to.equal(expected));
  }

  it("are not read from texts that Kubernetes refuses", () => {
    for (const text of ["", "abc", "1 Gi", "1gi", "--1", "1.2.3", "1e", "m", "1Kib", "1e1.5"]) {
      expect(parseQuantity(text), text).to.equal(undefined);
    }
  });

  it("round up to whole units, away from zero", () => {
    expect(["500m", "1500m", "1", "0", "1n", "1.5Gi", "96G"].map((text) => roundUpQuantity(read(text)))).to.deep.equal([
      1n,
      2n,
      1n,
      0n,
      1n,
      1610612736n,
      96_000_000_000n,
    ]);
  });

  it("never lose a billionth, and never exceed what Kubernetes can hold", () => {
    expect(read("0.0000000001").billionths).to.equal(1n);
    expect(roundUpQuantity(read("1e999999999"))).to.equal(2n ** 63n - 1n);
    expect(read("1e-999999999").billionths).to.equal(1n);
    expect(formatQuantity(addQuantities(read("1m"), read("100T")))).to.equal("100000000000000001m");
  });

  it("sum up in the notation of the first term that is not zero", () => {
    expect(formatQuantity(addQuantities(ZERO, read("100Mi"), read("1600Mi")))).to.equal("1700Mi");
    expect(formatQuantity(addQuantities(ZERO, read("0"), read("1Gi"), read("1G")))).to.equal("2073741824");
    expect(formatQuantity(addQuantities(read("1G"), read("1Gi")))).to.equal("2073741824");
    expect(formatQuantity(addQuantities(read("1k"), read("1Ki")))).to.equal("2024");
    expect(formatQuantity(addQuantities(read("1Ki"), read("1k"), read("24")))).to.equal("2Ki");
  });

  it("give the amount in numbers that Ray reads", () => {
    expect(["4", "500m", "1.5", "2Gi"].map((text) => quantityToNumber(read(text)))).to.deep.equal([
      4, 0.5, 1.5, 2147483648,
    ]);
  });

  it("mean the same after they were written in canonical form", () => {
    fc.assert(
      fc.property(written, (text) => {
        const amount = read(text).billionths;
        expect(read(formatQuantity(read(text))).billionths).to.equal(amount);
        expect(read(canonicalQuantity(text)).billionths).to.equal(amount);
      }),
    );
  });

  it("have one canonical form", () => {
    fc.assert(
      fc.property(written, (text) => {
        expect(canonicalQuantity(canonicalQuantity(text))).to.equal(canonicalQuantity(text));
      }),
    );
  });

  it("add up to the same amount in any order, and multiplying is repeated adding", () => {
    fc.assert(
      fc.property(fc.array(written, { minLength: 1, maxLength: 5 }), fc.nat({ max: 20 }), (texts, factor) => {
        const terms = texts.map(read);
        const sum = addQuantities(ZERO, ...terms);
        expect(addQuantities(ZERO, ...terms.toReversed()).billionths).to.equal(sum.billionths);
        const repeated = addQuantities(ZERO, ...Array.from({ length: factor }, () => sum));
        expect(multiplyQuantity(sum, factor).billionths).to.equal(repeated.billionths);
        expect(compareQuantities(sum, terms[0]!)).to.be.at.least(0);
      }),
    );
  });
});
