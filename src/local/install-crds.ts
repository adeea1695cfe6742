// Installs the project's CustomResourceDefinitions in a cluster.

import { readCrds } from "../../api/v1/crds.ts";
import type { Client } from "../kube/client.ts";
import type { KubeObject, ResourceType } from "../kube/types.ts";
import { until } from "./wait.ts";

const crdType: ResourceType = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};

interface Crd extends KubeObject {
  readonly spec: { readonly group: string; readonly names: { readonly kind: string; readonly plural: string } };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Applies all CRDs, waits until the API server serves them, and returns their kinds (`ray.io/v1`). */
export async function installCrds(client: Client): Promise<ResourceType[]> {
  const crds = readCrds() as unknown as Crd[];
  return await Promise.all(crds.map((crd) => install(client, crd)));
}

async function install(client: Client, crd: Crd): Promise<ResourceType> {
  const { name } = crd.metadata;
  const reference = { type: crdType, name };
  await client.patch(reference, crd, { type: "apply", force: true, fieldManager: "ray-operator-local" });
  await until(`the API server to serve ${name}`, 30_000, async () => {
    const { status } = await client.get<Crd>(reference);
    return status?.conditions?.some((one) => one.type === "Established" && one.status === "True") ?? false;
  });
  const { group, names } = crd.spec;
  return { apiVersion: `${group}/v1`, kind: names.kind, plural: names.plural, namespaced: true };
}
