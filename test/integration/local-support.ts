// What the tests of the local cluster share.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LocalApi } from "../../src/local/api.ts";
import { linkName } from "../../src/local/simulated-ray/network.ts";
import { until } from "../../src/local/wait.ts";

/** Whether simulated pods get a network of their own here. */
export const isRoot = process.getuid?.() === 0;

/** A state folder that nothing else uses. */
export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "ray-local-"));
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Ids of all processes that have the text in their command line, this one excepted. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Whether this machine has the link that leads to the pods of the instance in this folder. */
export function hasPodLink(folder: string): boolean {
  return linkName(folder) in networkInterfaces();
}

/** Runs kubectl and returns what it prints. */
export function kubectl(cluster: { readonly binDir: string; readonly kubeconfig: string }, ...args: string[]): string {
  return execFileSync(join(cluster.binDir, "kubectl"), ["--kubeconfig", cluster.kubeconfig, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_PROXY: "*" },
    // What it says on stderr is in the error.
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** A pod as the API server returns it, as far as the tests look at it. */
export interface PodObject {
  readonly metadata: { readonly uid: string; readonly name: string };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly restartCount: number;
      readonly state: {
        readonly terminated?: { readonly exitCode: number };
        readonly waiting?: { readonly reason: string };
      };
    }[];
  };
}

interface PodLook {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly spec?: object;
}

/** Creates a pod in the namespace `default`. */
export async function createPod(api: LocalApi, name: string, look: PodLook = {}): Promise<void> {
  const { labels = {}, annotations = {}, spec } = look;
  await api.request("POST", "/api/v1/namespaces/default/pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels, annotations },
    spec: { containers: [{ name: "ray", image: "rayproject/ray:2.52.0" }], ...spec },
  });
}

export function getPod(api: LocalApi, name: string): Promise<PodObject> {
  return api.get<PodObject>(`/api/v1/namespaces/default/pods/${name}`);
}

export function isReady(pod: PodObject): boolean {
  return pod.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** Waits until a pod is as described, and returns it. */
export async function podThat(api: LocalApi, name: string, is: (pod: PodObject) => boolean): Promise<PodObject> {
  let pod = await getPod(api, name);
  await until(`pod ${name}`, 20_000, async () => {
    pod = await getPod(api, name);
    return is(pod);
  }).catch((error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(pod.status)}`);
  });
  return pod;
}

/** A TypeScript program in a process of its own: its lines, and its end. */
export function runScript(script: string): { readonly pid: number; nextLine(): Promise<string>; kill(): void } {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    cwd: new URL("../..", import.meta.url).pathname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    nextLine: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error("the process has ended");
      return value;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
