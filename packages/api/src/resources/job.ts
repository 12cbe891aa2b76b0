/**
 * Jobs as the API shows and accepts them: durable work with declared inputs, outputs, resources and
 * limits. Points in time are ISO 8601 in UTC; lengths of time are milliseconds.
 */
import { z } from 'zod';
import { Digest } from './artifact.ts';
import { JobCause, JobState } from './job-state.ts';
import { QueueName, TenantName } from './queue.ts';
import { FOREVER_MS, MIB, Work } from './work.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * A name that a caller has chosen is longer for `admin`, which sees it with the tenant before it.
 */
export const JobId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/)
  .describe('Id of the job.');
const ChosenJobId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/);

const Label = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*(:[A-Za-z0-9._-]+)?$/)
  .max(100);

const JobFields = {
  queue: QueueName,
  name: z.string().min(1).max(200).describe('The name that lists show.'),
  work: Work,
  priority: z.int().min(-1000).max(1000).describe('Higher starts first within its tenant.'),
  resources: z
    .strictObject({
      cores: z.number().positive().max(4096),
      memoryBytes: z
        .int()
        .min(MIB)
        .max(2 ** 50),
    })
    .describe('Free resources that a worker needs.'),
  requires: z.array(Label).max(32).describe('Labels that a worker must have, all of them.'),
  retry: z.strictObject({
    maxAttempts: z.int().min(1).max(1000),
    backoffMs: z.int().min(0).max(DAY_MS).describe('Doubles with every attempt, with jitter.'),
    maxBackoffMs: z
      .int()
      .min(0)
      .max(30 * DAY_MS),
  }),
  parents: z.array(JobId).max(10_000).describe('Jobs that must succeed before this one starts.'),
  gang: z
    .strictObject({
      id: JobId,
      size: z.int().min(2).max(1024),
      rank: z.int().min(0).max(1023),
    })
    .describe('Members of a gang are started together or not at all.'),
  group: JobId.describe('The pipeline run or submission that it belongs to.'),
};

/** `schema` of a request: a field that is left out has its default, and so has the whole object. */
function withDefaults<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
  defaults: z.output<z.ZodObject<Shape, z.core.$strict>>,
) {
  const fields = Object.entries(schema.shape).map(([name, field]) => [
    name,
    (field as z.ZodType).default(defaults[name as keyof typeof defaults]),
  ]);
  const partial = z.strictObject(
    Object.fromEntries(fields) as { [Name in keyof Shape]: z.ZodDefault<Shape[Name]> },
  );
  const described =
    schema.description === undefined ? partial : partial.describe(schema.description);
  return described.default(defaults as never);
}

/** The job that a caller submits. */
export const NewJob = z
  .strictObject({
    ...JobFields,
    queue: JobFields.queue.default('default'),
    name: JobFields.name.optional(),
    priority: JobFields.priority.default(0),
    resources: withDefaults(JobFields.resources, { cores: 1, memoryBytes: 512 * MIB }),
    requires: JobFields.requires.default([]),
    retry: withDefaults(JobFields.retry, {
      maxAttempts: 3,
      backoffMs: 1000,
      maxBackoffMs: 5 * MINUTE_MS,
    }),
    parents: JobFields.parents.default([]),
    gang: JobFields.gang.optional(),
    group: JobFields.group.optional(),
    id: ChosenJobId.describe(
      'Chosen by the caller; must be new in its tenant. Default: one is made.',
    ).optional(),
    startAfterMs: z
      .int()
      .min(0)
      .max(FOREVER_MS)
      .describe('The job does not start before this time has passed.')
      .optional(),
    finishWithinMs: z
      .int()
      .min(1)
      .max(FOREVER_MS)
      .describe('The job fails with cause `deadline` when it has not finished by then.')
      .optional(),
    idempotencyKey: z
      .string()
      .min(1)
      .max(200)
      .describe('The same key in the same queue returns the job that exists.')
      .optional(),
    cache: z
      .boolean()
      .describe('Reuse the kept result of the same work over the same inputs, if there is one.')
      .default(false),
    retentionMs: z
      .int()
      .min(0)
      .max(FOREVER_MS)
      .describe('How long the job is kept after its end. Default: a week.')
      .default(7 * DAY_MS),
  })
  .meta({ id: 'NewJob' });
export type NewJob = z.infer<typeof NewJob>;
export type NewJobInput = z.input<typeof NewJob>;

const Usage = z
  .record(z.string(), z.number())
  .describe('As the kernel counted it: cpuMs, wallMs, peakMemoryBytes, …');

export const AttemptView = z
  .object({
    number: z.int().min(1),
    worker: z.string(),
    startedAt: z.string(),
    endedAt: z.string().optional(),
    outcome: z.union([z.literal('succeeded'), JobCause]).optional(),
    message: z.string().optional(),
    usage: Usage.optional(),
  })
  .meta({ id: 'Attempt' });
export type AttemptView = z.infer<typeof AttemptView>;

const Progress = z.object({
  fraction: z.number().min(0).max(1),
  message: z.string(),
});

export const JobView = z
  .object({
    id: JobId,
    ...JobFields,
    tenant: TenantName,
    gang: JobFields.gang.optional(),
    group: JobFields.group.optional(),
    behind: JobId.describe(
      'In a folded list: the group whose other jobs are left out behind this one.',
    ).optional(),
    state: JobState,
    cause: JobCause.describe('Why it has not succeeded.').optional(),
    message: z.string().optional(),
    enqueuedAt: z.string(),
    notBefore: z.string().optional(),
    deadline: z.string().optional(),
    startedAt: z.string().optional(),
    endedAt: z.string().optional(),
    cache: z.boolean().describe('Whether it reuses a kept result, and keeps its own for reuse.'),
    retentionMs: z.int().min(0).describe('How long it is kept after its end.'),
    attempts: z.array(AttemptView),
    progress: Progress.optional(),
    result: z
      .object({
        value: z.unknown(),
        outputs: z.array(z.object({ path: z.string(), digest: Digest, sizeBytes: z.int().min(0) })),
      })
      .optional(),
    cachedFrom: JobId.describe('The job whose kept result it reused.').optional(),
    checkpoint: Digest.optional(),
  })
  .meta({ id: 'Job' });
export type JobView = z.infer<typeof JobView>;

export const JobGroupView = z
  .object({ group: JobId, counts: z.record(JobState, z.int().min(0)) })
  .meta({ id: 'JobGroup' });
export type JobGroupView = z.infer<typeof JobGroupView>;

export const JobLogView = z
  .object({
    attempt: z.int().min(0),
    text: z.string().describe('stdout and stderr, as they came; broken UTF-8 is replaced.'),
    next: z.int().min(0).describe('The offset to read on from, in bytes.'),
    sizeBytes: z.int().min(0),
    ended: z.boolean().describe('Whether the log is complete.'),
  })
  .meta({ id: 'JobLog' });
export type JobLogView = z.infer<typeof JobLogView>;

export const ScheduleView = z
  .object({
    id: JobId,
    cron: z.string(),
    timeZone: z.string(),
    paused: z.boolean(),
    nextAt: z.string(),
    queue: QueueName,
    name: z.string(),
    tenant: TenantName,
  })
  .meta({ id: 'Schedule' });
export type ScheduleView = z.infer<typeof ScheduleView>;

export const JobEvent = z
  .object({
    sequence: z.int().describe('Grows by one per event; also the id of the server-sent event.'),
    at: z.string(),
    job: JobId,
    queue: QueueName,
    tenant: TenantName,
    group: JobId.optional(),
    kind: z.enum(['state', 'progress', 'log']),
    state: JobState,
    cause: JobCause.optional(),
    progress: Progress.optional(),
  })
  .meta({ id: 'JobEvent' });
export type JobEvent = z.infer<typeof JobEvent>;
