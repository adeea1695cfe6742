// One local cluster for all test files of a run that use it: simulated nodes, the project's CRDs, and the operator's own
// role, so that every test also shows that the rights of config/rbac are enough.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { Client } from "../../../../src/kube/client.ts";
import { loadConnection } from "../../../../src/kube/kubeconfig.ts";
import type { LocalApi } from "../../../../src/local/api.ts";
import { type LocalCluster, startLocalCluster } from "../../../../src/local/cluster.ts";
import { installCrds } from "../../../../src/local/install-crds.ts";
import { eventually } from "../../../support/eventually.ts";
import { type OperatorOptions, type OperatorProcess, startOperator } from "../../../support/operator-process.ts";
import { AuditLog, auditWritesOf } from "./audit-log.ts";
import { TestNamespace } from "./test-namespace.ts";

/** What the operators of the tests are members of, for RBAC and the audit log; each is a user of its own choice. */
const OPERATORS = "operators";
/** Where the operators of the tests keep their lease. */
export const LEASE_NAMESPACE = "leases";

const STOP_MS = 30_000;
let users = 0;
let started: Promise<TestCluster> | undefined;
let namespaces = 0;

/** The cluster for the tests of a `describe`, called there once; it starts with the first and ends with the last one. */
export function useTestCluster(): () => TestCluster {
  let current: TestCluster | undefined;
  users++;
  before(async function () {
    this.timeout(180_000);
    started ??= TestCluster.start();
    current = await started;
  });
  after(async function () {
    this.timeout(STOP_MS);
    if (--users > 0 || !started) return;
    const last = await started;
    started = undefined;
    await last.stop();
  });
  return () => {
    if (!current) throw new Error("the cluster is there only in hooks and tests");
    return current;
  };
}

/** The cluster with one operator that runs while the tests of a `describe` do. */
export function useOperator(options: Omit<OperatorOptions, "kubeconfig" | "launcher"> = {}): () => RunningOperator {
  let operator: OperatorProcess | undefined;
  // Hooks run in the order in which they are named: the operator ends before the cluster does.
  after(async function () {
    this.timeout(STOP_MS);
    await operator?.stop();
  });
  const cluster = useTestCluster();
  before(async function () {
    this.timeout(60_000);
    operator = await cluster().startOperator(options).working();
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") console.error(`The end of the operator's log:\n${operator?.tail()}`);
  });
  return () => {
    if (!operator) throw new Error("the operator is there only in hooks and tests");
    return { cluster: cluster(), operator };
  };
}

export interface RunningOperator {
  readonly cluster: TestCluster;
  readonly operator: OperatorProcess;
}

export class TestCluster {
  readonly local: LocalCluster;
  readonly audit: AuditLog;
  readonly #kubeconfigs = new Map<string, string>();
  private constructor(local: LocalCluster) {
    this.local = local;
    this.audit = new AuditLog(local.auditLog);
  }

  static async start(): Promise<TestCluster> {
    const stateDir = mkdtempSync(join(tmpdir(), "raycluster-tests-"));
    const local = await startLocalCluster({ stateDir, auditPolicy: auditWritesOf(OPERATORS) });
    try {
      const client = new Client(await loadConnection({ kubeconfig: local.kubeconfig }));
      await installCrds(client).finally(() => client.close());
      await grantOperatorRights(local.api);
      // A kind that is established may still answer "storage is (re)initializing" for a moment.
      await eventually(() => local.api.get("/apis/ray.io/v1/rayclusters"));
    } catch (error) {
      await local.stop();
      throw error;
    }
    return new TestCluster(local);
  }

  get api(): LocalApi {
    return this.local.api;
  }

  /** Starts an operator process with the rights of config/rbac; `user` is who it is in the audit log. */
  startOperator(options: Omit<OperatorOptions, "kubeconfig" | "launcher"> = {}, user = "operator"): OperatorProcess {
    const launcher = join(this.local.binDir, "ray-local");
    const kubeconfig = this.#kubeconfigs.get(user) ?? this.local.kubeconfigFor({ name: user, groups: [OPERATORS] });
    this.#kubeconfigs.set(user, kubeconfig);
    return startOperator({ ...options, kubeconfig, launcher });
  }

  /** A new namespace in which pods can be made. */
  async namespace(prefix = "test"): Promise<TestNamespace> {
    const name = `${prefix}-${++namespaces}`;
    await this.api.request("POST", "/api/v1/namespaces", { metadata: { name } });
    // Without the account, the API server refuses every pod.
    await eventually(() => this.api.get(`/api/v1/namespaces/${name}/serviceaccounts/default`));
    return new TestNamespace(this.api, name);
  }

  stop(): Promise<void> {
    return this.local.stop();
  }
}

const rbac = "/apis/rbac.authorization.k8s.io/v1";

async function grantOperatorRights(api: LocalApi): Promise<void> {
  const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: OPERATORS }];
  const bind = (role: { kind: string; metadata: { name: string } }) => ({
    metadata: { name: "operator-of-the-tests" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: role.kind, name: role.metadata.name },
    subjects,
  });
  const clusterRole = manifest("role.yaml");
  await api.request("POST", `${rbac}/clusterroles`, clusterRole);
  await api.request("POST", `${rbac}/clusterrolebindings`, bind(clusterRole));
  await api.request("POST", "/api/v1/namespaces", { metadata: { name: LEASE_NAMESPACE } });
  const leases = manifest("leader_election_role.yaml");
  await api.request("POST", `${rbac}/namespaces/${LEASE_NAMESPACE}/roles`, leases);
  await api.request("POST", `${rbac}/namespaces/${LEASE_NAMESPACE}/rolebindings`, bind(leases));
}

function manifest(file: string): { kind: string; metadata: { name: string } } {
  return parse(readFileSync(new URL(`../../../../config/rbac/${file}`, import.meta.url), "utf8"));
}
