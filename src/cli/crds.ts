// `ray-operator crds`: the CustomResourceDefinitions, for `kubectl apply -f -`.
import type { Writable } from "node:stream";
import { readCrds } from "../../api/v1/crds.ts";
import { toYaml } from "./manifests.ts";

/** Prints them as YAML. */
export function printCrds(out: Writable): number {
  out.write(toYaml(readCrds()));
  return 0;
}
