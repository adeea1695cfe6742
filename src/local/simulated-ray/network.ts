// Starts the simulated Ray process: in a network of its own where that is allowed, behind the API server elsewhere.

import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer, connect as dial, type Server } from "node:net";
import { join } from "node:path";
import { localSources } from "../paths.ts";
import { type ManagedProcess, type ProgramStart, tail } from "../process.ts";
import type { AddressRanges } from "../state.ts";
import { until } from "../wait.ts";

/** The simulated Ray process and how pods are reached. */
export interface SimulatedNetwork {
  readonly ranges: AddressRanges;
  /** The API server's egress proxy, relative to the state folder; undefined where pods have a route. */
  readonly proxySocket: string | undefined;
  /** Why there is no route. */
  readonly reason: string | undefined;
}

const PROXY_SOCKET = "pods.sock";
const API_SOCKET = "api.sock";
const REPORT = "network.json";

/** The ranges where nothing is routed: the first that `ray-local pod-network` would try. */
const unrouted: AddressRanges = { pods: "10.243.0.0/16", services: "10.97.0.0/16" };

/**
 * Starts simulated Ray and returns when its network is there. `previous` are the ranges of an earlier run, which
 * Services that were kept still use.
 */
export async function startSimulatedRay(
  folder: string,
  run: (start: ProgramStart) => ManagedProcess,
  previous: AddressRanges | undefined,
): Promise<SimulatedNetwork> {
  const routed = await startRouted(folder, run, previous);
  if (typeof routed !== "string") return { ranges: routed, proxySocket: undefined, reason: undefined };
  const ranges = previous ? { pods: previous.pods, services: previous.services } : unrouted;
  rmSync(join(folder, PROXY_SOCKET), { force: true });
  run(program(folder, ["--proxy", PROXY_SOCKET, "--ranges", `${ranges.pods},${ranges.services}`]));
  return { ranges, proxySocket: PROXY_SOCKET, reason: routed };
}

/** The ranges, or why there is no network. */
async function startRouted(
  folder: string,
  run: (start: ProgramStart) => ManagedProcess,
  previous: AddressRanges | undefined,
): Promise<AddressRanges | string> {
  if (process.getuid?.() !== 0) return "only root may make a network for them";
  const report = join(folder, REPORT);
  rmSync(report, { force: true });
  const link = linkName(folder);
  const index = previous ? String(243 - Number(previous.pods.split(".")[1])) : "-1";
  const launch = ["pod-network", "--interface", link, "--report", report, "--index", index];
  const started = run({ ...program(folder, []), launch });
  try {
    let ranges: AddressRanges | undefined;
    await until("the network of pods", 10_000, () => {
      ranges = readReport(report);
      return ranges !== undefined || started.ended !== undefined;
    });
    return ranges ?? tail(started.logFile, 1).replace(/^ray-local pod-network: /, "");
  } catch (error) {
    await started.stop(0);
    return (error as Error).message;
  }
}

/** The link on the host that leads to an instance's pods: at most 15 characters, different for each folder. */
export function linkName(folder: string): string {
  return `ray-${createHash("sha256").update(folder).digest("hex").slice(0, 8)}`;
}

function program(folder: string, more: readonly string[]): ProgramStart {
  const script = join(localSources(), "simulated-ray", "main.ts");
  // Paths of sockets are relative to the folder: Linux allows them 107 bytes.
  const args = [script, "--kubeconfig", join(folder, "kubeconfig"), "--api", API_SOCKET, ...more];
  return { name: "simulated-ray", command: process.execPath, args, cwd: folder };
}

function readReport(path: string): AddressRanges | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as AddressRanges;
  } catch {
    return undefined;
  }
}

/** Leads a Unix socket in the folder to the API server, for the process that is not in its network. */
export function relayApiServer(folder: string, port: number): Server {
  rmSync(join(folder, API_SOCKET), { force: true });
  const server = createServer((client) => {
    const upstream = dial(port, "127.0.0.1");
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  // By the folder's descriptor, since a long path would not do.
  const descriptor = openSync(folder, "r");
  server.listen(`/proc/self/fd/${descriptor}/${API_SOCKET}`, () => closeSync(descriptor));
  server.unref();
  return server;
}
