// Kubernetes' rules for names and labels, with its own texts (k8s.io/apimachinery util/validation and
// util/content, which events and rejections of the reference quote).

const dns1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const dns1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dns1123Subdomain = `${dns1123}(\\.${dns1123})*`;
const labelText = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/** What is wrong with a DNS-1035 label (service names); nothing if it is one. */
export function dns1035LabelProblems(value: string): string[] {
  const text =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
  return [...tooLong(value, 63), ...mismatch(value, dns1035, text, ["my-name", "abc-123"])];
}

/** What is wrong with a DNS-1123 label (most names); nothing if it is one. */
export function dns1123LabelProblems(value: string): string[] {
  const text =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...tooLong(value, 63), ...mismatch(value, dns1123, text, ["my-name", "123-abc"])];
}

/** What is wrong with a label key: an optional DNS subdomain, a slash, a name. */
export function qualifiedNameProblems(key: string): string[] {
  const parts = key.split("/");
  const text =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  const examples = ["MyName", "my.name", "123-abc"];
  if (parts.length > 2) {
    return [
      `a qualified name ${withExamples(text, examples, labelText)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? prefixProblems(parts[0] ?? "") : [];
  const empty = name === "" ? ["name part must be non-empty"] : [];
  const long = tooLong(name, 63).map((problem) => `name part ${problem}`);
  return [...prefix, ...empty, ...long, ...mismatch(name, labelText, `name part ${text}`, examples)];
}

/** What is wrong with a label value; an empty one is right. */
export function labelValueProblems(value: string): string[] {
  const text =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  return [...tooLong(value, 63), ...mismatch(value, `(${labelText})?`, text, ["MyValue", "my_value", "12345"])];
}

function prefixProblems(prefix: string): string[] {
  if (prefix === "") return ["prefix part must be non-empty"];
  const text =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  const problems = [...tooLong(prefix, 253), ...mismatch(prefix, dns1123Subdomain, text, ["example.com"])];
  return problems.map((problem) => `prefix part ${problem}`);
}

function tooLong(value: string, most: number): string[] {
  return value.length > most ? [`must be no more than ${most} characters`] : [];
}

function mismatch(value: string, pattern: string, text: string, examples: string[]): string[] {
  return new RegExp(`^${pattern}$`).test(value) ? [] : [withExamples(text, examples, pattern)];
}

function withExamples(text: string, examples: string[], pattern: string): string {
  const quoted = examples.map((example) => `'${example}'`).join(",  or ");
  return `${text} (e.g. ${quoted}, regex used for validation is '${pattern}')`;
}
