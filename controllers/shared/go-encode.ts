// Writes an object as Go's JSON encoder writes the struct it was read into: fields in the order of the struct, quantities
// in canonical form, structs without a pointer always, even when empty.
import { scalarJson, sortedJson } from "./go-json.ts";
import { canonicalQuantity } from "./quantity.ts";

/** Fields of each struct as `name:type`, in order; generated/go-fields.ts explains the marks. */
export type GoTypes = Readonly<Record<string, string>>;

/** JSON text of `value` as the struct `type`. Members that the struct does not know are left out. */
export function goEncode(types: GoTypes, type: string, value: unknown): string {
  const members: string[] = [];
  for (const field of fieldsOf(types, type)) {
    const text = encodeField(types, field, member(value, field.name));
    if (text !== undefined) members.push(`${scalarJson(field.name)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

interface Field {
  readonly name: string;
  readonly type: string;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  readonly pointer: boolean;
}

function fieldsOf(types: GoTypes, type: string): readonly Field[] {
  const text = types[type];
  if (text === undefined) throw new Error(`no fields are known for the type ${type}`);
  return text === "" ? [] : text.split(" ").map(parseField);
}

function parseField(text: string): Field {
  const separator = text.indexOf(":");
  const marked = text.slice(separator + 1);
  const type = marked.replace(/^[?!*]*/, "");
  const marks = marked.slice(0, marked.length - type.length);
  return {
    name: text.slice(0, separator),
    type,
    omitEmpty: marks.includes("?"),
    omitZero: marks.includes("!"),
    pointer: marks.includes("*"),
  };
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** Undefined: the field is left out. */
function encodeField(types: GoTypes, field: Field, value: unknown): string | undefined {
  const absent = value === undefined || value === null;
  const nullable = field.pointer || field.type.startsWith("[]") || field.type.startsWith("{}");
  if (absent && (field.omitZero || (field.omitEmpty && nullable))) return undefined;
  if (absent && nullable) return "null";
  if (field.omitEmpty && !field.pointer && isEmpty(field.type, value)) return undefined;
  return encode(types, field.type, value);
}

/** What Go's `omitempty` calls empty: structs, and types that write themselves, never are. */
function isEmpty(type: string, value: unknown): boolean {
  if (type.startsWith("[]")) return Array.isArray(value) && value.length === 0;
  if (type.startsWith("{}")) return typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return type in ZERO && (value ?? ZERO[type]) === ZERO[type];
}

const ZERO: Readonly<Record<string, unknown>> = { string: "", boolean: false, number: 0 };

function encode(types: GoTypes, type: string, value: unknown): string {
  if (type in ZERO) return scalarJson(value ?? ZERO[type]);
  if (type === "quantity") return scalarJson(canonicalQuantity((value ?? "0") as string | number));
  if (type === "intOrString") return scalarJson(value ?? 0);
  if (type === "time" || type === "any") return sortedJson(value);
  const item = type.slice(2);
  if (type.startsWith("[]")) return `[${(value as unknown[]).map((part) => encode(types, item, part)).join(",")}]`;
  if (!type.startsWith("{}")) return goEncode(types, type, value);
  const entries = Object.entries(value as object).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, part]) => `${scalarJson(key)}:${encode(types, item, part)}`).join(",")}}`;
}
