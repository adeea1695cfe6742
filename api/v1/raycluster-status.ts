// The status of a RayCluster (raycluster-controller.md section 3). Build time only, see schema.ts; import types from
// raycluster.ts.
import { Type } from "typebox";
import { Int32, listMap, OneOf, Quantity, Time } from "./schema.ts";

/** The standard condition of Kubernetes (meta/v1 Condition). */
export const ConditionSchema = Type.Object({
  type: Type.String({
    maxLength: 316,
    pattern:
      "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    description: "What the condition is about.",
  }),
  status: OneOf(["True", "False", "Unknown"], { description: "Whether it holds." }),
  reason: Type.String({
    minLength: 1,
    maxLength: 1024,
    pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    description: "Why, in one word for programs.",
  }),
  message: Type.String({ maxLength: 32768, description: "Why, in words for people; may be empty." }),
  lastTransitionTime: Time({ description: "When status changed last." }),
  observedGeneration: Type.Optional(
    Type.Integer({ format: "int64", minimum: 0, description: "Generation of the object that this is about." }),
  ),
});

const total = (resource: string) =>
  Quantity<string>({ description: `Total ${resource} of the head and of all workers that are asked for.` });

export const HeadInfoSchema = Type.Object(
  {
    podIP: Type.Optional(Type.String({ description: "Address of the head pod." })),
    podName: Type.Optional(Type.String({ description: "Name of the head pod." })),
    serviceIP: Type.Optional(
      Type.String({ description: "Address of the head service; that of the head pod if the service has none." }),
    ),
    serviceName: Type.Optional(Type.String({ description: "Name of the head service." })),
  },
  { description: "How the head is reached." },
);

export const RayClusterStatusSchema = Type.Object(
  {
    state: Type.Optional(
      Type.String({ description: "ready or suspended. The conditions say more and are to be preferred." }),
    ),
    reason: Type.Optional(Type.String({ description: "Not used any more; see the conditions." })),
    conditions: Type.Optional(
      Type.Array(ConditionSchema, {
        description:
          "What is known about the cluster: HeadPodReady, RayClusterProvisioned, RayClusterSuspending, RayClusterSuspended, ReplicaFailure.",
        ...listMap("type"),
      }),
    ),
    observedGeneration: Type.Optional(
      Type.Integer({ format: "int64", description: "Generation of the spec that this status was computed from." }),
    ),
    desiredWorkerReplicas: Type.Optional(Int32({ description: "Worker pods that are asked for." })),
    minWorkerReplicas: Type.Optional(Int32({ description: "Worker pods that are kept at least." })),
    maxWorkerReplicas: Type.Optional(Int32({ description: "Worker pods that are allowed at most." })),
    availableWorkerReplicas: Type.Optional(Int32({ description: "Worker pods that run." })),
    readyWorkerReplicas: Type.Optional(Int32({ description: "Worker pods that run and are ready." })),
    desiredCPU: Type.Optional(total("CPU")),
    desiredMemory: Type.Optional(total("memory")),
    desiredGPU: Type.Optional(total("GPUs")),
    desiredTPU: Type.Optional(total("TPUs")),
    head: Type.Optional(HeadInfoSchema),
    endpoints: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: "object",
        additionalProperties: { type: "string" },
        description: "Ports of the head service by name: the node port if there is one, else the target port.",
      }),
    ),
    lastUpdateTime: Type.Optional(
      Type.Unsafe<string | null>({
        type: "string",
        format: "date-time",
        nullable: true,
        description: "When this status was written.",
      }),
    ),
    stateTransitionTimes: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: "object",
        additionalProperties: { type: "string", format: "date-time" },
        description: "When each state was last entered.",
      }),
    ),
  },
  { description: "What the operator found when it last looked." },
);
