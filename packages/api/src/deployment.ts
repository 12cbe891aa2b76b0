/** What a person may ask of a deployment, and what the node tells about one. Durations are milliseconds. */
import { z } from 'zod';

export const Name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/,
    'must be 1–63 of a–z, 0–9, ".", "_", "-", starting and ending with a letter or digit',
  );

export const Objective = z.strictObject({
  /** Latency that the quantile promises, from the request's arrival to its answer. */
  latencyMs: z.number().positive().max(600_000).default(500),
  quantile: z.number().gt(0.5).lt(1).default(0.99),
});

export const ReplicaBounds = z
  .strictObject({ min: z.int().min(0).max(256).default(1), max: z.int().min(1).max(256) })
  .refine((bounds) => bounds.min <= bounds.max, 'min must not exceed max');

export const BatchingPolicy = z.strictObject({
  /** Rows of one run; 1 turns batching off. Models whose first dimension is fixed are never batched. */
  maxRows: z.int().min(1).max(4096).default(32),
});

export const CachePolicy = z.strictObject({
  maxBytes: z
    .int()
    .positive()
    .default(64 * 1024 * 1024),
  ttlMs: z.int().positive().default(60_000),
});

/** The settings of a deployment that stay when its versions change. */
export const DeploymentSettings = z.strictObject({
  objective: Objective.default({ latencyMs: 500, quantile: 0.99 }),
  /** Default: from 1 to as many as the cores carry with `threads` each. */
  replicas: ReplicaBounds.optional(),
  /** Intra-op threads of each replica. */
  threads: z.int().min(1).max(256).default(1),
  /** Lets threads × replicas exceed the cores. */
  oversubscribe: z.boolean().default(false),
  batching: BatchingPolicy.default({ maxRows: 32 }),
  isolation: z.enum(['thread', 'process']).default('thread'),
  device: z.enum(['cpu', 'cuda']).default('cpu'),
  /** Requests that may wait, over all tenants. */
  maxQueue: z.int().min(1).max(1_000_000).default(1024),
  /** Refuse NaN and infinity in inputs. */
  finiteOnly: z.boolean().default(false),
  cache: CachePolicy.optional(),
});
export type DeploymentSettings = z.infer<typeof DeploymentSettings>;
export type DeploymentSettingsInput = z.input<typeof DeploymentSettings>;

/** One entry of the traffic split. Weights are shares of their sum. */
export const TrafficTarget = z.strictObject({
  version: z.string(),
  weight: z.number().min(0).max(1000),
});
export type TrafficTarget = z.infer<typeof TrafficTarget>;

/** How a new version takes over. */
export const RolloutPlan = z.strictObject({
  /** `immediate`: warm, then all at once. `canary`: shift by the steps. `shadow`: copy traffic and compare only. */
  strategy: z.enum(['immediate', 'canary', 'shadow']).default('immediate'),
  /** Shares of traffic in percent that the new version takes, one after another; canary ends with 100. */
  steps: z.array(z.number().gt(0).max(100)).min(1).max(20).default([5, 25, 50, 100]),
  /** Time that each step must hold before the next. */
  stepMs: z.int().min(100).max(86_400_000).default(10_000),
  /** Requests that a step, or a shadow, must have seen before it is judged. */
  minRequests: z.int().min(1).default(20),
  /** Route by a hash of this request header instead of at random, so that a caller stays on one version. */
  stickyHeader: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/)
    .optional(),
  /** Largest |difference| between the outputs of the old and the new version that a shadow tolerates. */
  tolerance: z.number().min(0).optional(),
  /** Roll back when the new version's error share exceeds this. */
  maxErrorShare: z.number().min(0).max(1).default(0.01),
});
export type RolloutPlan = z.infer<typeof RolloutPlan>;

export const ReplicaState = z.enum(['loading', 'warming', 'ready', 'draining', 'gone']);
export type ReplicaState = z.infer<typeof ReplicaState>;

export const TensorSpecView = z.object({
  name: z.string(),
  /** ONNX element type in lower case: float32, int64, string, … */
  type: z.string(),
  /** A size, a symbolic name, or null for an unnamed size. */
  shape: z.array(z.union([z.int(), z.string(), z.null()])),
});

export const ReplicaView = z.object({
  id: z.string(),
  state: ReplicaState,
  busy: z.boolean(),
  runs: z.int(),
  failure: z.string().optional(),
});

export const RolloutView = z.object({
  strategy: z.enum(['immediate', 'canary', 'shadow']),
  fromVersion: z.string(),
  toVersion: z.string(),
  /** `warming`, `shifting`, `comparing`, then `finished` or `rolled-back`. */
  phase: z.enum(['warming', 'shifting', 'comparing', 'finished', 'rolled-back']),
  /** Percent of traffic on the new version now. */
  share: z.number(),
  reason: z.string(),
  startedAt: z.string(),
  /** What a shadow has seen so far. */
  comparison: z
    .object({ compared: z.int(), differing: z.int(), maxDifference: z.number() })
    .optional(),
});
export type RolloutView = z.infer<typeof RolloutView>;

export const VersionTargetView = z.object({
  version: z.string(),
  weight: z.number(),
  digest: z.string(),
  replicas: z.array(ReplicaView),
  queuedRequests: z.int(),
  inFlightRows: z.int(),
  predictedDelayMs: z.number(),
  answered: z.int(),
  answeredInTime: z.int(),
  refused: z.record(z.string(), z.int()),
  latencies: z.array(z.object({ rows: z.int(), p50Ms: z.number(), p99Ms: z.number() })),
});

/** What the API, the CLI and the console show of a deployment. */
export const DeploymentView = z.object({
  name: Name,
  kind: z.enum(['onnx', 'composition']),
  /** `ready`, `starting` (no replica yet), `idle` (scaled to zero), `failed` (no replica can start). */
  status: z.enum(['ready', 'starting', 'idle', 'failed']),
  reason: z.string(),
  revision: z.int(),
  settings: DeploymentSettings,
  signature: z.object({ inputs: z.array(TensorSpecView), outputs: z.array(TensorSpecView) }),
  targets: z.array(VersionTargetView),
  rollout: RolloutView.optional(),
  /** Over the last minute. */
  last: z.object({
    requestsPerSecond: z.number(),
    goodputPerSecond: z.number(),
    /** Share of requests answered inside their deadline; null without traffic. */
    sloAttainment: z.number().nullable(),
    p50Ms: z.number().nullable(),
    p99Ms: z.number().nullable(),
    shedPerSecond: z.number(),
  }),
  updatedAt: z.string(),
});
export type DeploymentView = z.infer<typeof DeploymentView>;
