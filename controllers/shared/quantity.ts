// Exact arithmetic with Kubernetes quantities ("500m", "2Gi", "1e3"), as apimachinery's resource.Quantity does it.

/** How a quantity is written: `1k` (decimal), `1Ki` (binary) or `1e3` (exponent). */
type QuantityNotation = "decimal" | "binary" | "exponent";

/** An exact amount: an integer number of billionths, the finest step that Kubernetes knows. */
export interface Quantity {
  readonly billionths: bigint;
  readonly notation: QuantityNotation;
}

const UNIT = 1_000_000_000n;
/** A written quantity above this counts as this. */
const MAX_WRITTEN = (2n ** 63n - 1n) * UNIT;
/** Beyond this the result is zero or the maximum anyway; it keeps `1e999999999` from filling the memory. */
const MAX_EXPONENT = 64;

const DECIMAL_SUFFIXES = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"] as const;
const BINARY_SUFFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] as const;

export const ZERO: Quantity = { billionths: 0n, notation: "decimal" };

/**
 * Reads a quantity as it stands in a manifest (there a plain number is allowed too); undefined if it is none.
 * Finer parts than a billionth are rounded away from zero.
 */
export function parseQuantity(text: string | number): Quantity | undefined {
  const match = WRITTEN.exec(String(text).trim());
  if (!match?.groups) return undefined;
  const { sign, whole = "", fraction = "", suffix = "", exponent } = match.groups;
  const digits = BigInt(`0${whole}${fraction}`);
  const amount = scale(digits, -fraction.length, suffix, exponent);
  const limited = amount > MAX_WRITTEN ? MAX_WRITTEN : amount;
  return { billionths: sign === "-" ? -limited : limited, notation: notationOf(suffix, exponent, limited) };
}

const WRITTEN =
  /^(?<sign>[+-]?)(?:(?<whole>\d+)(?:\.(?<fraction>\d*))?|\.(?<fraction>\d+))(?:[eE](?<exponent>[+-]?\d+)|(?<suffix>[KMGTPE]i|[numkMGTPE]))?$/;

function scale(digits: bigint, decimals: number, suffix: string, exponent: string | undefined): bigint {
  if (suffix.endsWith("i")) {
    const factor = 1024n ** BigInt(BINARY_SUFFIXES.indexOf(suffix as (typeof BINARY_SUFFIXES)[number]));
    return shiftDecimal(digits * factor, decimals + 9);
  }
  const power =
    exponent === undefined ? decimalPower(suffix) : Math.max(-MAX_EXPONENT, Math.min(MAX_EXPONENT, Number(exponent)));
  return shiftDecimal(digits, decimals + power + 9);
}

function decimalPower(suffix: string): number {
  return 3 * (DECIMAL_SUFFIXES.indexOf(suffix as (typeof DECIMAL_SUFFIXES)[number]) - 3);
}

/** `value` times ten to the power of `places`; what falls off at the end is rounded up. */
function shiftDecimal(value: bigint, places: number): bigint {
  return places >= 0 ? value * 10n ** BigInt(places) : ceilDivide(value, 10n ** BigInt(-places));
}

function notationOf(suffix: string, exponent: string | undefined, amount: bigint): QuantityNotation {
  if (exponent !== undefined) return "exponent";
  // apimachinery: a binary amount between 0 and 1 turns into a decimal one.
  return suffix.endsWith("i") && !(amount > 0n && amount < UNIT) ? "binary" : "decimal";
}

/** The one way apimachinery writes this amount: no fraction, the largest fitting suffix. */
export function formatQuantity(quantity: Quantity): string {
  const { billionths, notation } = quantity;
  if (billionths === 0n) return "0";
  const small = billionths > -1024n * UNIT && billionths < 1024n * UNIT;
  if (notation === "binary" && !small && billionths % UNIT === 0n) return formatBinary(billionths / UNIT);
  return formatDecimal(billionths, notation === "exponent");
}

function formatBinary(amount: bigint): string {
  let mantissa = amount;
  let step = 0;
  while (mantissa % 1024n === 0n && step < BINARY_SUFFIXES.length - 1) {
    mantissa /= 1024n;
    step++;
  }
  return `${mantissa}${BINARY_SUFFIXES[step]}`;
}

function formatDecimal(billionths: bigint, asExponent: boolean): string {
  let mantissa = billionths;
  let step = 0;
  while (mantissa % 1000n === 0n && (asExponent || step < DECIMAL_SUFFIXES.length - 1)) {
    mantissa /= 1000n;
    step++;
  }
  const power = 3 * (step - 3);
  if (!asExponent) return `${mantissa}${DECIMAL_SUFFIXES[step]}`;
  return power === 0 ? `${mantissa}` : `${mantissa}e${power}`;
}

/** How the API server stores and shows a written quantity; text that is no quantity stays as it is. */
export function canonicalQuantity(text: string | number): string {
  const written = String(text);
  const quantity = parseQuantity(written);
  return quantity && !passesForCanonical(written) ? formatQuantity(quantity) : written;
}

/**
 * apimachinery keeps decimal texts that look canonical at first sight: a power of a thousand, not ending in 000. So
 * `7.941M` stays, although a sum of that amount is written `7941k`.
 */
function passesForCanonical(text: string): boolean {
  const { whole = "", fraction = "", suffix = "", exponent } = WRITTEN.exec(text)?.groups ?? {};
  const digits = whole + fraction;
  if (suffix.endsWith("i") || digits.length > 18 || digits.startsWith("0") || digits.endsWith("000")) return false;
  const power = exponent === undefined ? decimalPower(suffix) : Number(exponent);
  const scale = power - fraction.length;
  return scale >= -9 && scale % 3 === 0;
}

/** The sum, in the notation of its first term that is not zero. */
export function addQuantities(first: Quantity, ...others: readonly Quantity[]): Quantity {
  return others.reduce(
    (sum, term) => ({
      billionths: sum.billionths + term.billionths,
      notation: sum.billionths === 0n ? term.notation : sum.notation,
    }),
    first,
  );
}

/** `factor` must be an integer. */
export function multiplyQuantity(quantity: Quantity, factor: number | bigint): Quantity {
  return { billionths: quantity.billionths * BigInt(factor), notation: quantity.notation };
}

export function isZeroQuantity(quantity: Quantity): boolean {
  return quantity.billionths === 0n;
}

/** Negative, zero or positive, as `sort` wants it. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  return left.billionths < right.billionths ? -1 : Number(left.billionths > right.billionths);
}

/** The next integer away from zero: what Kubernetes takes for "the value" of `1500m` is 2. */
export function roundUpQuantity(quantity: Quantity): bigint {
  return quantity.billionths < 0n ? -ceilDivide(-quantity.billionths, UNIT) : ceilDivide(quantity.billionths, UNIT);
}

/** The nearest floating-point number. */
export function quantityToNumber(quantity: Quantity): number {
  const whole = quantity.billionths / UNIT;
  const rest = quantity.billionths % UNIT;
  return rest === 0n ? Number(whole) : Number(quantity.billionths) / 1e9;
}

/** For amounts of at least zero. */
function ceilDivide(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}
