// What the node sets on the host's own network, and takes back: addresses, forwarding, masquerading.

import { readFileSync, writeFileSync } from "node:fs";
import { run, tryRun } from "../image/exec.ts";
import type { NodeAddresses } from "./config.ts";
import { bridge, networkName } from "./paths.ts";

/** Marks our own iptables rules. */
const mark = "ray-operator-node";

/** Rules as `iptables -A` takes them, after the table. */
function rules(addresses: NodeAddresses): { readonly table: string; readonly rule: readonly string[] }[] {
  const comment = ["-m", "comment", "--comment", mark];
  return [
    // pods leave the cluster with the host's address
    {
      table: "nat",
      rule: ["POSTROUTING", "-s", addresses.nodePods, "!", "-d", addresses.pods, ...comment, "-j", "MASQUERADE"],
    },
    // other software (Docker) sets the policy of FORWARD to DROP
    { table: "filter", rule: ["FORWARD", "-i", bridge, ...comment, "-j", "ACCEPT"] },
    { table: "filter", rule: ["FORWARD", "-o", bridge, ...comment, "-j", "ACCEPT"] },
  ];
}

export async function setUpNetwork(addresses: NodeAddresses): Promise<void> {
  await tryRun("modprobe", ["--all", "overlay", "br_netfilter"]); // where they are built in, there is nothing to load
  setKernel("net/ipv4/ip_forward", 1);
  setKernel("net/bridge/bridge-nf-call-iptables", 1);
  setKernel("fs/inotify/max_user_instances", 1024);
  setKernel("fs/inotify/max_user_watches", 524_288);
  await run("ip", ["address", "replace", `${addresses.dns}/32`, "dev", "lo"]);
  for (const { table, rule } of rules(addresses)) await run("iptables", ["-w", "-t", table, "-I", ...rule]);
}

/** Removes what {@link setUpNetwork}, the CNI plugins and kube-proxy left. Does nothing where there is nothing. */
export async function tearDownNetwork(dns: string | undefined): Promise<void> {
  if (dns) await tryRun("ip", ["address", "delete", `${dns}/32`, "dev", "lo"]);
  await tryRun("ip", ["link", "delete", bridge]);
  for (const family of ["iptables", "ip6tables"]) {
    for (const table of ["nat", "filter", "mangle"]) {
      const saved = await run(`${family}-save`, ["-t", table]).catch(() => "");
      const removal = removalOf(saved, table);
      if (removal) await run(`${family}-restore`, ["-w", "--noflush"], { input: removal });
    }
  }
}

/**
 * What `iptables-restore --noflush` has to be told to remove our rules, kube-proxy's and those of our pods' port
 * mappings; undefined when there are none. (`kube-proxy --cleanup` leaves some, and takes longer.)
 *
 * @param saved the output of `iptables-save` for the table
 */
export function removalOf(saved: string, table: string): string | undefined {
  const lines = saved.split("\n");
  const rules = lines.filter((line) => line.startsWith("-A "));
  const named = rules.filter((rule) => rule.includes("name: "));
  const isNamedOurs = (rule: string) => rule.includes(`name: \\"${networkName}\\"`);
  // the port mappings' common chains go with their last user
  const allCni = named.every(isNamedOurs);
  const mapped = new Set(named.filter(isNamedOurs).map(targetOf));
  const chains = lines
    .flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? [])
    .filter((chain) => /^KUBE-/.test(chain) || mapped.has(chain) || (allCni && /^CNI-/.test(chain)));

  const gone = new Set(chains);
  const isOurs = (rule: string) => rule.includes(`--comment ${mark}`) || gone.has(targetOf(rule) ?? "");
  const removed = rules.filter((rule) => isOurs(rule) && !gone.has(chainOf(rule)));
  if (removed.length === 0 && chains.length === 0) return undefined;
  return [
    `*${table}`,
    ...removed.map((rule) => rule.replace("-A ", "-D ")),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    "COMMIT",
    "",
  ].join("\n");
}

function chainOf(rule: string): string {
  return rule.split(" ")[1] ?? "";
}

function targetOf(rule: string): string | undefined {
  return / -j (\S+)/.exec(rule)?.[1];
}

/** Raises a kernel setting; a lower limit than the present one is left, and a setting this kernel lacks is skipped. */
function setKernel(name: string, value: number): void {
  const path = `/proc/sys/${name}`;
  try {
    if (Number(readFileSync(path, "utf8")) < value) writeFileSync(path, `${value}`);
  } catch {
    // not there, or not ours to set in this container: what needs it says so
  }
}
