/** The settings of a deployment, and its views. Durations are milliseconds. */
import { z } from 'zod';
import { DEVICES } from '../implementations.ts';

export const Name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/,
    'must be 1–63 of a–z, 0–9, ".", "_", "-", starting and ending with a letter or digit',
  );

export const Objective = z.strictObject({
  latencyMs: z
    .number()
    .positive()
    .max(600_000)
    .describe('Latency that the quantile promises, from the request’s arrival to its answer.')
    .default(500),
  quantile: z.number().gt(0.5).lt(1).describe('Share of requests that must keep it.').default(0.99),
});

export const ReplicaBounds = z
  .strictObject({
    min: z
      .int()
      .min(0)
      .max(256)
      .describe('0 lets an idle deployment give back its memory.')
      .default(1),
    max: z.int().min(1).max(256),
    idleMs: z
      .int()
      .min(1000)
      .max(86_400_000)
      .describe(
        'With a minimum of 0: time without a request after which the last replica goes. Default: 60000.',
      )
      .optional(),
  })
  .refine((bounds) => bounds.min <= bounds.max, 'min must not exceed max');

export const BatchingPolicy = z.strictObject({
  maxRows: z
    .int()
    .min(1)
    .max(4096)
    .describe(
      'Rows of one run; 1 turns batching off. Models whose first dimension is fixed are never batched.',
    )
    .default(32),
});

export const CachePolicy = z.strictObject({
  maxBytes: z
    .int()
    .positive()
    .default(64 * 1024 * 1024),
  ttlMs: z.int().positive().describe('How long an answer may be repeated.').default(60_000),
});

/** The settings of a deployment that stay when its versions change. */
export const DeploymentSettings = z
  .strictObject({
    objective: Objective.describe('The latency that this deployment promises.').default({
      latencyMs: 500,
      quantile: 0.99,
    }),
    replicas: ReplicaBounds.describe(
      'Bounds of the autoscaler; default: from 1 to as many as the cores carry with `threads` each.',
    ).optional(),
    threads: z.int().min(1).max(256).describe('Intra-op threads of each replica.').default(1),
    oversubscribe: z.boolean().describe('Lets threads × replicas exceed the cores.').default(false),
    batching: BatchingPolicy.describe('How requests are run together.').default({ maxRows: 32 }),
    isolation: z
      .enum(['auto', 'thread', 'process'])
      .describe(
        '`process`: a crash, a loop or the memory of the model costs only a retry. `thread`: cheaper, for trusted models. `auto`: a process for untrusted versions, and on a node that isolates models.',
      )
      .default('auto'),
    maxMemoryBytes: z
      .int()
      .min(16 * 1024 * 1024)
      .max(2 ** 46)
      .describe(
        'Memory that the model may take in a replica, which a process is held to. Default: a quarter of the memory, and at least four times the file.',
      )
      .optional(),
    startTimeoutMs: z
      .int()
      .min(100)
      .max(3_600_000)
      .describe(
        'Time in which a replica must have loaded and warmed up. Default: 60 s, or ten times the objective if that is more.',
      )
      .optional(),
    device: z.enum(DEVICES).describe('Device that replicas run on.').default(DEVICES[0]),
    maxQueue: z
      .int()
      .min(1)
      .max(1_000_000)
      .describe('Requests that may wait, over all tenants.')
      .default(1024),
    finiteOnly: z.boolean().describe('Refuse NaN and infinity in inputs.').default(false),
    idempotent: z
      .boolean()
      .describe(
        'A composition may run a request a second time, on another member of a fleet, when the first is lost while it runs it. Models always may.',
      )
      .default(false),
    cache: CachePolicy.describe('Repeats answers to equal inputs; absent: off.').optional(),
  })
  .meta({ id: 'DeploymentSettings' });
export type DeploymentSettings = z.infer<typeof DeploymentSettings>;
export type DeploymentSettingsInput = z.input<typeof DeploymentSettings>;

/**
 * A change of settings: a field that is left out keeps its value, so no field has a default here.
 * `null` returns `replicas` to its default and turns `cache` off.
 */
export const DeploymentSettingsPatch = z
  .strictObject({
    objective: z
      .strictObject({
        latencyMs: Objective.shape.latencyMs.unwrap().optional(),
        quantile: Objective.shape.quantile.unwrap().optional(),
      })
      .describe(DeploymentSettings.shape.objective.unwrap().description ?? '')
      .optional(),
    replicas: z
      .strictObject({
        min: ReplicaBounds.shape.min.unwrap().optional(),
        max: ReplicaBounds.shape.max.optional(),
        idleMs: ReplicaBounds.shape.idleMs,
      })
      .describe('Bounds of the autoscaler; null: from 1 to as many as the cores carry.')
      .nullish(),
    threads: DeploymentSettings.shape.threads.unwrap().optional(),
    oversubscribe: DeploymentSettings.shape.oversubscribe.unwrap().optional(),
    batching: z
      .strictObject({ maxRows: BatchingPolicy.shape.maxRows.unwrap().optional() })
      .describe(DeploymentSettings.shape.batching.unwrap().description ?? '')
      .optional(),
    isolation: DeploymentSettings.shape.isolation.unwrap().optional(),
    maxMemoryBytes: DeploymentSettings.shape.maxMemoryBytes
      .unwrap()
      .describe(`${DeploymentSettings.shape.maxMemoryBytes.description} null: the default.`)
      .nullish(),
    startTimeoutMs: DeploymentSettings.shape.startTimeoutMs
      .unwrap()
      .describe(`${DeploymentSettings.shape.startTimeoutMs.description} null: the default.`)
      .nullish(),
    device: DeploymentSettings.shape.device.unwrap().optional(),
    maxQueue: DeploymentSettings.shape.maxQueue.unwrap().optional(),
    finiteOnly: DeploymentSettings.shape.finiteOnly.unwrap().optional(),
    idempotent: DeploymentSettings.shape.idempotent.unwrap().optional(),
    cache: z
      .strictObject({
        maxBytes: CachePolicy.shape.maxBytes.unwrap().optional(),
        ttlMs: CachePolicy.shape.ttlMs.unwrap().optional(),
      })
      .describe('Repeats answers to equal inputs; `{}` turns it on, null off.')
      .nullish(),
  })
  .meta({ id: 'DeploymentSettingsPatch' });
export type DeploymentSettingsPatch = z.infer<typeof DeploymentSettingsPatch>;

/** One entry of the traffic split. Weights are shares of their sum. */
export const TrafficTarget = z.strictObject({
  version: z.string(),
  weight: z.number().min(0).max(1000),
});
export type TrafficTarget = z.infer<typeof TrafficTarget>;

/** How a new version takes over. */
export const RolloutPlan = z
  .strictObject({
    strategy: z
      .enum(['immediate', 'canary', 'shadow'])
      .describe(
        '`immediate`: warm, then all at once. `canary`: shift by the steps. `shadow`: copy traffic and compare only.',
      )
      .default('immediate'),
    steps: z
      .array(z.number().gt(0).max(100))
      .min(1)
      .max(20)
      .describe(
        'Percent of traffic that the new version takes, one after another; canary ends with 100.',
      )
      .default([5, 25, 50, 100]),
    stepMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .describe('Time that each step must hold before the next.')
      .default(10_000),
    minRequests: z
      .int()
      .min(1)
      .describe('Requests that a step, or a shadow, must have seen before it is judged.')
      .default(20),
    stickyHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/)
      .describe(
        'Route by a hash of this request header instead of at random, so that a caller stays on one version.',
      )
      .optional(),
    tolerance: z
      .number()
      .min(0)
      .describe(
        'Largest |difference| between the outputs of the old and the new version that is tolerated. A canary that has one copies up to 10 % of the old version’s requests to compare them.',
      )
      .optional(),
    maxErrorShare: z
      .number()
      .min(0)
      .max(1)
      .describe(
        'Roll back when the share of the new version’s errors, or of its answers with NaN or infinity, exceeds this.',
      )
      .default(0.01),
  })
  .meta({ id: 'RolloutPlan' });
export type RolloutPlan = z.infer<typeof RolloutPlan>;

export const ReplicaState = z.enum(['loading', 'warming', 'ready', 'draining', 'gone']);
export type ReplicaState = z.infer<typeof ReplicaState>;

export const TensorSpecView = z
  .object({
    name: z.string(),
    type: z.string().describe('ONNX element type in lower case: float32, int64, string, …'),
    shape: z
      .array(z.union([z.int(), z.string(), z.null()]))
      .describe('Sizes, symbolic names, or null for an unnamed size.'),
  })
  .meta({ id: 'TensorSpec' });

export const SignatureView = z
  .object({ inputs: z.array(TensorSpecView), outputs: z.array(TensorSpecView) })
  .meta({ id: 'Signature' });

export const ReplicaView = z
  .object({
    id: z.string(),
    state: ReplicaState,
    busy: z.boolean(),
    isolation: z
      .enum(['thread', 'process'])
      .describe('Where its model runs; absent for a composition.')
      .optional(),
    runs: z.int(),
    failure: z.string().optional(),
  })
  .meta({ id: 'Replica' });

export const RolloutView = z
  .object({
    strategy: z.enum(['immediate', 'canary', 'shadow']),
    fromVersion: z.string(),
    toVersion: z.string(),
    phase: z
      .enum(['warming', 'shifting', 'comparing', 'finished', 'rolled-back'])
      .describe('`warming`, `shifting`, `comparing`, then `finished` or `rolled-back`.'),
    share: z.number().describe('Percent of traffic on the new version now.'),
    reason: z.string(),
    startedAt: z.string(),
    comparison: z
      .object({ compared: z.int(), differing: z.int(), maxDifference: z.number() })
      .describe('What was compared so far.')
      .optional(),
  })
  .meta({ id: 'Rollout' });
export type RolloutView = z.infer<typeof RolloutView>;

export const VersionTargetView = z
  .object({
    version: z.string(),
    weight: z.number().describe('Share of the sum of all weights.'),
    digest: z.string(),
    replicas: z.array(ReplicaView),
    queuedRequests: z.int(),
    inFlightRows: z.int(),
    predictedDelayMs: z.number().describe('Estimated wait of a request that arrived now.'),
    answered: z.int(),
    answeredInTime: z.int(),
    refused: z.record(z.string(), z.int()).describe('Refusals and failures by error code.'),
    latencies: z
      .array(z.object({ rows: z.int(), p50Ms: z.number(), p99Ms: z.number(), runs: z.int() }))
      .describe(
        'Estimated run time by rows, for the size of inputs that ran last; `runs` were measured.',
      ),
    evidence: z
      .object({
        runs: z.int().describe('Measured runs, warming included.'),
        sizes: z.int().describe('Sizes of inputs that have run, to a quarter of an octave.'),
        probes: z.int().describe('Requests of a size that had not run, accepted to measure it.'),
      })
      .describe('What the estimates rest on; absent for a composition.')
      .optional(),
  })
  .meta({ id: 'VersionTarget' });

/** Traffic over some time. */
const Traffic = z.object({
  requestsPerSecond: z.number(),
  goodputPerSecond: z.number(),
  sloAttainment: z
    .number()
    .nullable()
    .describe('Share of requests answered inside their deadline; null without traffic.'),
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  shedPerSecond: z.number(),
});

export const TrafficRange = z.enum(['hour', 'day']);
export type TrafficRange = z.infer<typeof TrafficRange>;

export const DeploymentTraffic = z
  .object({
    range: TrafficRange,
    points: z
      .array(Traffic.extend({ at: z.string().describe('When it begins.') }))
      .describe(
        'Oldest first: one point for each minute of the last hour, or for each ten minutes of the last day, whose `p99Ms` is the value of its worst minute. The node keeps them; they begin again when it starts.',
      ),
  })
  .meta({ id: 'DeploymentTraffic' });
export type DeploymentTraffic = z.infer<typeof DeploymentTraffic>;

/** The view of a deployment in the API, the CLI and the console. */
export const DeploymentView = z
  .object({
    name: Name,
    kind: z.enum(['onnx', 'composition']),
    status: z
      .enum(['ready', 'starting', 'idle', 'failed', 'unloaded', 'elsewhere'])
      .describe(
        '`ready`, `starting` (no replica yet), `idle` (scaled to zero), `failed` (no replica can start), `unloaded` (kept with its settings, and serves nothing until it is loaded), `elsewhere` (other members of the fleet hold it and answer what arrives here).',
      ),
    reason: z.string(),
    revision: z.int(),
    settings: DeploymentSettings,
    signature: SignatureView,
    targets: z.array(VersionTargetView),
    rollout: RolloutView.optional(),
    last: Traffic.describe('Over the last minute.'),
    updatedAt: z.string(),
  })
  .meta({ id: 'Deployment' });
export type DeploymentView = z.infer<typeof DeploymentView>;
