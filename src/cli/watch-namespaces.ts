// `--watch-namespace` (operator.md section 6).
import { UserError } from "./errors.ts";

/** A DNS label, which every namespace's name is. */
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * The namespaces to watch; an empty list means all. KubeRay keeps spaces ("a, b" never sees b) and takes the empty
 * element of "a," for the whole cluster; here spaces and empty elements do not count.
 */
export function parseWatchNamespaces(value: string): readonly string[] {
  const names = value.split(",").map((name) => name.trim());
  const wrong = names.find((name) => name !== "" && !namespaceName.test(name));
  if (wrong !== undefined)
    throw new UserError(`watch namespace ${JSON.stringify(wrong)} is not a valid namespace name`);
  return [...new Set(names.filter((name) => name !== ""))];
}
