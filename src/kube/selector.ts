// Label selectors in their text form, evaluated here: objects that come by another way than the selected watch (the
// answers of our own writes) must pass the same test.

/** Whether labels are selected. */
export type LabelMatch = (labels: Readonly<Record<string, string>> | undefined) => boolean;

/**
 * Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k` (Kubernetes documentation, "Labels and Selectors"); an empty or
 * missing selector takes everything. Throws on a text that is none.
 */
export function parseLabelSelector(selector: string | undefined): LabelMatch {
  const requirements = splitRequirements(selector ?? "").map(parseRequirement);
  return (labels = {}) => requirements.every((requirement) => requirement(labels));
}

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

const SET = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/;
const EQUALITY = /^([^\s!=]+)\s*(==|=|!=)\s*(\S*)$/;
const EXISTS = /^(!?)\s*([^\s!=(),]+)$/;

// A comma separates requirements, except within the parentheses of a set.
function splitRequirements(selector: string): string[] {
  return (selector.match(/(?:[^,(]|\([^)]*\))+/g) ?? []).map((part) => part.trim()).filter((part) => part !== "");
}

function parseRequirement(text: string): Requirement {
  const set = SET.exec(text);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    // Kubernetes: an object without the label is selected by "notin" and by "!=".
    if (operator === "notin") return (labels) => !(key in labels && values.has(labels[key] ?? ""));
    return (labels) => key in labels && values.has(labels[key] ?? "");
  }
  const equality = EQUALITY.exec(text);
  if (equality) {
    const [, key = "", operator, value = ""] = equality;
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const exists = EXISTS.exec(text);
  if (!exists) throw new Error(`not a label selector: "${text}"`);
  const [, not, key = ""] = exists;
  return not ? (labels) => !(key in labels) : (labels) => key in labels;
}
