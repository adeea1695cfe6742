// One operator, or two that share a lease, started again as often as they are killed.

import { eventually } from "../../../support/eventually.ts";
import type { OperatorProcess } from "../../../support/operator-process.ts";
import type { Random } from "./random.ts";
import { LEASE_NAMESPACE, type TestCluster } from "./test-cluster.ts";

/** As short as whole seconds on the lease allow. */
const leaseFlags = [
  "--enable-leader-election=true",
  `--leader-election-namespace=${LEASE_NAMESPACE}`,
  "--leader-election-lease-duration=2s",
  "--leader-election-renew-deadline=1500ms",
  "--leader-election-retry-period=250ms",
];

export class Crew {
  readonly #cluster: TestCluster;
  readonly #flags: readonly string[];
  #members: OperatorProcess[];

  constructor(cluster: TestCluster, size: 1 | 2) {
    this.#cluster = cluster;
    this.#flags = size === 1 ? [] : leaseFlags;
    this.#members = Array.from({ length: size }, () => this.#start());
  }

  /** The one that works now, or undefined while the lease has no holder or the caches are not complete. */
  get atWork(): OperatorProcess | undefined {
    return this.#members.find((member) => member.has("caches are complete"));
  }

  async working(): Promise<OperatorProcess> {
    return eventually(
      () => {
        const { atWork } = this;
        if (!atWork) throw new Error(`no operator works; the log of the first:\n${this.#members[0]?.tail()}`);
        return atWork;
      },
      { withinMs: 30_000, everyMs: 5 },
    );
  }

  /** How each member does, with the end of its log: for messages. */
  describe(): string {
    const lines = this.#members.map(
      (member) =>
        `operator ${member.pid}, ${member.end ? `ended ${JSON.stringify(member.end)}` : "running"}:\n${member.tail(20)}`,
    );
    return lines.join("\n");
  }

  /** kill -9 of the one at work (seldom of the other), and another one in its place. */
  async killOne(random: Random): Promise<OperatorProcess> {
    const idle = random.sample(this.#members, 1)[0];
    const victim = (random.chance(0.8) ? this.atWork : undefined) ?? idle;
    if (!victim) throw new Error("there is nobody to kill");
    await victim.kill();
    this.#members = [...this.#members.filter((member) => member !== victim), this.#start()];
    return victim;
  }

  /** kill -9 of all of them. */
  async killAll(): Promise<readonly OperatorProcess[]> {
    const ended = this.#members;
    this.#members = [];
    await Promise.all(ended.map((member) => member.kill()));
    return ended;
  }

  #start(): OperatorProcess {
    return this.#cluster.startOperator({ flags: this.#flags });
  }
}
