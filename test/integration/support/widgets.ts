// A small kind of its own, with which the runtime is tested: a Widget wants `spec.replicas` pods.
import { controllerUid, type ObjectCache } from "../../../src/kube/cache.ts";
import type { Client } from "../../../src/kube/client.ts";
import { type Action, type Decision, needKey } from "../../../src/kube/decision.ts";
import { isNotFound } from "../../../src/kube/errors.ts";
import type { Manager } from "../../../src/kube/manager.ts";
import type { DecideContext, Reconciler } from "../../../src/kube/reconciler.ts";
import { changesOf, ownersIn } from "../../../src/kube/sources.ts";
import type { KubeObject, Logger, ResourceType } from "../../../src/kube/types.ts";

export const PODS: ResourceType = { apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true };
export const CONFIG_MAPS: ResourceType = {
  apiVersion: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};
export const NAMESPACES: ResourceType = {
  apiVersion: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
};
export const WIDGETS: ResourceType = { apiVersion: "test.io/v1", kind: "Widget", plural: "widgets", namespaced: true };

export interface WidgetStatus {
  pods?: number;
  failure?: string;
}

export interface Widget extends KubeObject {
  spec: { replicas: number; mayWait?: boolean; explode?: boolean; needs?: string };
  status?: WidgetStatus;
}

export interface WidgetSeen {
  readonly widget: Widget;
  readonly pods: readonly KubeObject[];
  readonly config: KubeObject | null | undefined;
}

const CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.test.io" },
  spec: {
    group: "test.io",
    names: { kind: "Widget", plural: "widgets", singular: "widget" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

/** Installs the kind and waits until it is served. */
export async function installWidgets(client: Client): Promise<void> {
  const type = { apiVersion: CRD.apiVersion, kind: CRD.kind, plural: "customresourcedefinitions", namespaced: false };
  await client.create(type, CRD);
  for (;;) {
    try {
      await client.list(WIDGETS);
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export function widget(name: string, spec: Widget["spec"], namespace = "default"): Widget {
  return { apiVersion: WIDGETS.apiVersion, kind: WIDGETS.kind, metadata: { name, namespace }, spec };
}

export function pod(name: string, namespace = "default", metadata: Partial<KubeObject["metadata"]> = {}): KubeObject {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, ...metadata },
    spec: { containers: [{ name: "main", image: "example/image:1" }], terminationGracePeriodSeconds: 0 },
  };
  return object;
}

/** The controller of widgets on a manager; gives its caches. */
export function addWidgets(
  manager: Manager,
  changes: Partial<Reconciler<WidgetSeen, WidgetStatus>> = {},
): { widgets: ObjectCache<Widget>; pods: ObjectCache } {
  const widgets = manager.cache<Widget>({ type: WIDGETS });
  const pods = manager.cache<KubeObject>({
    type: PODS,
    labelSelector: "test.io/widget",
    indexes: { owner: controllerUid },
  });
  manager.add({
    reconciler: { ...widgetReconciler(widgets, pods), ...changes },
    sources: [changesOf(widgets), ownersIn(pods, WIDGETS)],
  });
  return { widgets, pods };
}

function widgetReconciler(widgets: ObjectCache<Widget>, pods: ObjectCache): Reconciler<WidgetSeen, WidgetStatus> {
  return {
    name: "widget",
    primary: WIDGETS,
    observe({ namespace, name }, read) {
      const found = widgets.get(namespace, name);
      if (!found) return undefined;
      const config = read.get(needKey({ type: CONFIG_MAPS, namespace, name: found.spec.needs ?? "" }));
      return { widget: found, pods: pods.byIndex("owner", found.metadata.uid ?? ""), config };
    },
    object: (seen) => seen.widget,
    decide: decideWidget,
    status: (seen, outcomes) => {
      const created = outcomes.filter(({ action, result }) => action.verb === "create" && result === "done").length;
      const failure = outcomes.find((outcome) => outcome.result === "failed");
      return {
        status: {
          pods: seen.pods.filter((found) => !found.metadata.deletionTimestamp).length + created,
          ...(failure?.result === "failed" && { failure: failure.message }),
        },
        mayWait: seen.widget.spec.mayWait ?? false,
      };
    },
    storedStatus: (seen) => seen.widget.status,
    differs: (stored, next) => stored?.pods !== next.pods || stored?.failure !== next.failure,
  };
}

function decideWidget({ widget: { metadata, spec }, pods, config }: WidgetSeen, context: DecideContext): Decision {
  if (spec.explode) throw new Error("this widget explodes");
  if (spec.needs && config === undefined) {
    const reference = { type: CONFIG_MAPS, namespace: metadata.namespace, name: spec.needs };
    return { actions: [], needs: [reference] };
  }
  if (metadata.deletionTimestamp || config === null) return { actions: [] };
  const alive = pods.filter((found) => !found.metadata.deletionTimestamp);
  const actions: Action[] = [];
  for (let i = alive.length; i < spec.replicas; i++) {
    const name = `${metadata.name}-${context.drawSuffix()}`;
    actions.push({
      ...{ verb: "create", type: PODS, wave: 1, batch: "pods", reason: "the widget wants one more pod" },
      object: pod(name, metadata.namespace, {
        labels: { "test.io/widget": metadata.name },
        ownerReferences: [
          {
            apiVersion: WIDGETS.apiVersion,
            kind: "Widget",
            name: metadata.name,
            uid: metadata.uid ?? "",
            controller: true,
          },
        ],
      }),
      onSuccess: { type: "Normal", reason: "CreatedPod", action: "Create", note: `Created pod ${name}` },
      onFailure: (message) => ({ type: "Warning", reason: "FailedToCreatePod", action: "Create", note: message }),
    });
  }
  for (const extra of alive.slice(spec.replicas)) {
    const { namespace = "", name, uid = "" } = extra.metadata;
    actions.push({ verb: "delete", type: PODS, wave: 1, reason: "the widget wants fewer pods", namespace, name, uid });
  }
  return { actions };
}

/** A logger that keeps its lines. */
export class MemoryLog implements Logger {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[];
  readonly #fields: Record<string, unknown>;

  constructor(lines: MemoryLog["lines"] = [], fields: Record<string, unknown> = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  debug = (message: string, fields?: Record<string, unknown>) => this.#add("debug", message, fields);
  info = (message: string, fields?: Record<string, unknown>) => this.#add("info", message, fields);
  warn = (message: string, fields?: Record<string, unknown>) => this.#add("warn", message, fields);
  error = (message: string, fields?: Record<string, unknown>) => this.#add("error", message, fields);

  child(_name: string, fields: Record<string, unknown> = {}): Logger {
    return new MemoryLog(this.lines, { ...this.#fields, ...fields });
  }

  #add(level: string, message: string, fields: Record<string, unknown> = {}): void {
    this.lines.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
}

/** Waits until `condition` gives something truthy, and gives it. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  what = "the condition",
  timeoutMs = 20_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result) return result as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`${what} did not come true within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
