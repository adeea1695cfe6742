// The process that plays Ray in every simulated pod.
//
//   node main.ts --kubeconfig FILE --api SOCKET [--proxy SOCKET --ranges CIDR,CIDR]
//
// Without --proxy it runs in a network in which the addresses of pods and services are its own, and listens on their
// ports. With it, it is the HTTP proxy through which the API server calls into the cluster; --ranges are the addresses
// of pods and services, and calls elsewhere are passed on.

import { parseArgs } from "node:util";
import { LocalApi, mergePatch, type WatchEvent } from "../api.ts";
import { readKubeconfig } from "../kubeconfig.ts";
import { until } from "../wait.ts";
import { Directory, type Pod, portsOf, type Service, wellKnownPorts } from "./pods.ts";
import { SimulatedRay } from "./ray.ts";
import { RayServer } from "./server.ts";
import { Submitters } from "./submitter.ts";

const { values } = parseArgs({
  options: {
    kubeconfig: { type: "string", default: "kubeconfig" },
    api: { type: "string", default: "api.sock" },
    proxy: { type: "string" },
    ranges: { type: "string", default: "" },
  },
});

const directory = new Directory();
const ray = new SimulatedRay(directory);
const server = new RayServer(ray, directory);

if (values.proxy === undefined) {
  for (const port of wellKnownPorts) server.listen(port);
} else {
  // Ranges are /16, so that their first two numbers tell.
  const prefixes = values.ranges.split(",").map((range) => range.replace(/0\.0\/16$/, ""));
  server.listenAsProxy(values.proxy, (address) => prefixes.some((prefix) => address.startsWith(prefix)));
}

// The control plane starts after this process, because it has to know the network's addresses.
const access = await waitForAccess();
const api = new LocalApi({ ...access, socketPath: values.api });
const forever = new AbortController().signal;

const submitters = new Submitters(directory, ray, (pod, status) =>
  api.request("PATCH", `${podPath(pod)}/status`, { status }, mergePatch),
);
setInterval(() => void submitters.tick(), 500);
setInterval(() => ray.forget(), 60_000);

await Promise.all([
  api.watch<Pod>("/api/v1/pods", onPod, forever, () => directory.clearPods()),
  api.watch<Service>("/api/v1/services", onService, forever, () => directory.clearServices()),
]);

function onPod({ type, object }: WatchEvent<Pod>): void {
  if (type === "DELETED") directory.removePod(object.metadata.uid);
  if (type !== "ADDED" && type !== "MODIFIED") return;
  directory.setPod(object);
  if (values.proxy === undefined) for (const port of portsOf(object)) server.listen(port);
}

function onService({ type, object }: WatchEvent<Service>): void {
  if (type === "DELETED") directory.removeService(object.metadata.uid);
  if (type !== "ADDED" && type !== "MODIFIED") return;
  directory.setService(object);
  if (values.proxy === undefined) for (const { port } of object.spec.ports ?? []) server.listen(port);
}

function podPath({ metadata: { namespace, name } }: Pod): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

async function waitForAccess(): Promise<ReturnType<typeof readKubeconfig>> {
  let found: ReturnType<typeof readKubeconfig> | undefined;
  await until("the kubeconfig", 120_000, () => {
    try {
      found = readKubeconfig(values.kubeconfig);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error("no kubeconfig");
  return found;
}
