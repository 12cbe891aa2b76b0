/** The fleet that a node is a member of; a node alone is a fleet of one. Durations are milliseconds. */
import { z } from 'zod';
import { RolloutView } from './deployment.ts';

/** A member's work, published with each renewal of its lease. */
export const MemberLoad = z
  .object({
    demandCores: z
      .number()
      .describe(
        'Cores that the requests of the last second would keep busy, refused ones included.',
      ),
    requestsPerSecond: z.number().describe('Rows that arrived, refused ones included.'),
    shedPerSecond: z.number().describe('Requests that were refused for load.'),
    delayShare: z
      .number()
      .describe(
        'The longest predicted wait of a request that arrives now, as a share of its objective.',
      ),
    busy: z.boolean().describe('Whether requests wait, run or arrive.'),
    idleMs: z.number().describe('Time since the last request.'),
    idleAfterMs: z
      .number()
      .nullable()
      .describe(
        'Time without a request after which none of its deployments needs it; null: one always does.',
      ),
    startMs: z
      .number()
      .nullable()
      .describe('Measured from the start of its process until it was ready.'),
  })
  .meta({ id: 'MemberLoad' });
export type MemberLoad = z.infer<typeof MemberLoad>;

/** A member's memory for models, as it publishes it. */
export const MemberMemory = z
  .object({
    budgetBytes: z.number().describe('Memory for models: no more is loaded.'),
    heldBytes: z.number().describe('What the loaded models take.'),
    leastRecentAgeMs: z
      .number()
      .describe(
        'How long the least recently used model has not been used: a short time means that memory is short.',
      ),
    measured: z
      .record(z.string(), z.number())
      .describe('Bytes of one replica, by the digest of its file.'),
  })
  .meta({ id: 'MemberMemory' });
export type MemberMemory = z.infer<typeof MemberMemory>;

const Counts = z.record(z.string(), z.int());

/** Counts of forwarding between members since the member started. */
export const MemberForwarding = z
  .object({
    probes: Counts.describe('Probes by the answer of the asked member.'),
    forwards: Counts.describe('By what became of the request.'),
    refused: Counts.describe('Requests that stayed refused, by the reason.'),
    repeated: z.int().describe('Requests that ran again after the member that ran them was lost.'),
  })
  .meta({ id: 'MemberForwarding' });
export type MemberForwarding = z.infer<typeof MemberForwarding>;

export const MemberView = z
  .object({
    id: z.string().describe('Its incarnation: random, and another one after each start.'),
    self: z.boolean().describe('Whether it answers this request.'),
    name: z.string(),
    address: z.string().describe('URL at which peers call it; empty: they cannot.'),
    version: z.string().describe('Version of Skein.'),
    schema: z
      .object({ oldest: z.int(), newest: z.int() })
      .describe('Schemas of the shared state that it reads.'),
    memoryBytes: z.number(),
    cores: z.number(),
    accelerators: z.array(z.string()),
    loaded: z.array(z.object({ model: z.string(), version: z.string(), digest: z.string() })),
    load: MemberLoad.optional(),
    memory: MemberMemory.omit({ measured: true }).optional(),
    forwarding: MemberForwarding.optional(),
    joinedAt: z.string(),
    renewedAt: z.string(),
    leaseAgeMs: z
      .number()
      .describe('Time since it renewed its lease, when the last of all members renewed its own.'),
  })
  .meta({ id: 'Member' });
export type MemberView = z.infer<typeof MemberView>;

export const FleetAlert = z
  .object({
    kind: z.enum(['store-away', 'late-member', 'versions', 'schema', 'frozen']),
    text: z.string(),
    fix: z.string(),
  })
  .meta({ id: 'FleetAlert' });
export type FleetAlert = z.infer<typeof FleetAlert>;

export const FleetView = z
  .object({
    epoch: z
      .string()
      .nullable()
      .describe('Names the contents of the store; null while it is away.'),
    schema: z
      .object({
        written: z.int().nullable().describe('Schema of the shared state that the fleet writes.'),
        common: z.int().nullable().describe('The newest one that all members read.'),
      })
      .describe('They differ between an upgrade and `POST /api/v1/fleet/finalise`.'),
    members: z
      .array(MemberView)
      .describe('Those with a live lease, in the order in which they joined.'),
    alerts: z.array(FleetAlert),
  })
  .meta({ id: 'Fleet' });
export type FleetView = z.infer<typeof FleetView>;

export const PlacementView = z
  .object({
    model: z.string(),
    version: z.string(),
    digest: z.string(),
    members: z
      .array(z.object({ id: z.string(), name: z.string() }))
      .describe('Those that hold it.'),
    reason: z.string(),
  })
  .meta({ id: 'Placement' });
export type PlacementView = z.infer<typeof PlacementView>;

export const FleetScale = z
  .object({
    members: z.int().describe('Members now.'),
    desiredMembers: z
      .int()
      .describe(
        'Members that the demand needs; for the scaler of a platform that owns the machines.',
      ),
    cause: z.string().describe('The rule that decided.'),
    reason: z.string(),
    demandCores: z.number().describe('Cores that the requests of the last second would keep busy.'),
    cores: z.number().describe('Cores of all members.'),
    shedPerSecond: z.number(),
    delayShare: z
      .number()
      .describe('The longest predicted wait of any member, as a share of its objective.'),
    coldStartMs: z
      .number()
      .nullable()
      .describe(
        'The longest measured start of a member: what a request waits that wakes a fleet of none.',
      ),
  })
  .meta({ id: 'FleetScale' });
export type FleetScale = z.infer<typeof FleetScale>;

const RolloutCounts = z.object({
  requests: z.int(),
  errors: z.int(),
  late: z.int(),
  odd: z.int().describe('Answers with NaN, infinity or another kind of output.'),
  p99Ms: z.number().nullable(),
});

export const MemberEvidence = z
  .object({
    member: z.string(),
    state: z
      .enum(['silent', 'loading', 'ready'])
      .describe('`silent`: has not reported; `ready`: takes part.'),
    step: z.int().nullable().describe('The step that it carries out, from 0.'),
    candidate: RolloutCounts.nullable().describe('The new version, since the step began there.'),
    stable: RolloutCounts.nullable().describe('The old version, since the rollout began there.'),
    opinion: z
      .enum(['good', 'bad', 'doubtful', 'unknown'])
      .describe('Judged by this member alone.'),
    reason: z.string(),
  })
  .meta({ id: 'MemberEvidence' });
export type MemberEvidence = z.infer<typeof MemberEvidence>;

export const RolloutEvidence = z
  .object({
    rollout: RolloutView,
    steps: z.array(z.number()).describe('Percent of traffic, one after another.'),
    leader: z.string().nullable().describe('The member that takes the steps; null: none does now.'),
    step: z.int().describe('The step that the fleet is at, from 0.'),
    opinion: MemberEvidence.shape.opinion.describe('Of the whole fleet.'),
    reason: z.string(),
    members: z.array(MemberEvidence),
  })
  .meta({ id: 'RolloutEvidence' });
export type RolloutEvidence = z.infer<typeof RolloutEvidence>;
