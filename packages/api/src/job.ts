/**
 * Jobs as the API shows and takes them: durable work with declared inputs, outputs, resources and
 * limits. Points in time are ISO 8601 in UTC; lengths of time are milliseconds.
 */
import { z } from 'zod';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MIB = 1024 * 1024;
/** Longest length of time that anything here may have: ten years. */
const FOREVER_MS = 3650 * DAY_MS;

export const JobId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/)
  .describe('Id of the job.');

export const QueueName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'must be 1–63 of a–z, 0–9, ".", "_" and "-"')
  .describe('A queue; it exists as soon as something is put in it.');

export const TenantName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/)
  .describe('Shares and quotas are counted per tenant.');

export const Digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a sha-256 in hex')
  .describe('sha-256 of an artifact, in hex.');

/** Relative, normalised, inside the workspace: nothing that could lead out of it. */
const WorkspacePath = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (path) =>
      !path.includes('\0') &&
      !path.startsWith('/') &&
      path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a relative path without ".", ".." and empty parts',
  );

const Label = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*(:[A-Za-z0-9._-]+)?$/)
  .max(100);

export const JobState = z.enum([
  'blocked',
  'ready',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'dead',
]);
export type JobState = z.infer<typeof JobState>;

export const JobCause = z.enum([
  'error',
  'exit-code',
  'signal',
  'out-of-memory',
  'timeout',
  'output-limit',
  'lease-lost',
  'preempted',
  'refused',
  'deadline',
  'parent-failed',
  'cancelled',
  'gang-broken',
]);
export type JobCause = z.infer<typeof JobCause>;

const WorkLimits = z
  .strictObject({
    cpuMs: z.int().min(1).max(FOREVER_MS).describe('User plus system time of all processes.'),
    wallMs: z.int().min(1).max(FOREVER_MS).describe('Time on the clock. Default: one hour.'),
    memoryBytes: z
      .int()
      .min(MIB)
      .max(2 ** 50)
      .describe('Memory of all processes together. Default: what `resources` asks for.'),
    pids: z.int().min(1).max(1_000_000).describe('Processes and threads at once. Default: 64.'),
    outputBytes: z
      .int()
      .min(0)
      .max(2 ** 40)
      .describe('stdout plus stderr. Default: 64 MiB.'),
    fileBytes: z
      .int()
      .min(0)
      .max(2 ** 50)
      .describe('Largest single file. Default: 1 GiB.'),
    diskBytes: z
      .int()
      .min(0)
      .max(2 ** 50)
      .describe('Workspace and /tmp. Default: 1 GiB.'),
    cores: z.number().positive().max(4096).describe('Default: what `resources` asks for.'),
  })
  .partial();

const NetworkPolicy = z
  .union([
    z.enum(['none', 'host']),
    z.strictObject({ allow: z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/)).max(100) }),
  ])
  .describe('`none`, `host` (trusted work only), or the only `host:port` that can be reached.');

const CommandWork = z.strictObject({
  kind: z.literal('command'),
  argv: z
    .array(z.string().max(131_072))
    .min(1)
    .max(1000)
    .describe('The program and its arguments; nothing passes through a shell.'),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(131_072)).optional(),
  image: z.string().min(1).max(255).describe('Root file system of the sandbox.').optional(),
  sandbox: z
    .enum(['docker', 'bubblewrap', 'process'])
    .describe('The driver; absent: the best one that the worker has.')
    .optional(),
  trusted: z
    .boolean()
    .describe('Only trusted work may run without isolation or with the network of the host.')
    .default(false),
  inputs: z
    .array(z.strictObject({ path: WorkspacePath, digest: Digest }))
    .max(10_000)
    .describe('Artifacts that the command finds at these paths, read-only.')
    .default([]),
  outputs: z
    .array(z.strictObject({ path: WorkspacePath, optional: z.boolean().default(false) }))
    .max(1000)
    .describe('Files and folders that are kept as artifacts when the command succeeds.')
    .default([]),
  retryFailure: z
    .boolean()
    .describe('Whether a command that fails by itself is tried again; a lost worker always is.')
    .default(true),
  checkpoint: WorkspacePath.describe(
    'Path that is kept when an attempt is preempted or fails, and put back at the next one.',
  ).optional(),
  stdin: Digest.describe('An artifact that is fed to stdin.').optional(),
  limits: WorkLimits.default({}),
  network: NetworkPolicy.default('none'),
});

const TaskWork = z.strictObject({
  kind: z.literal('task'),
  task: z.string().min(1).max(200).describe('Name of the task, as `defineTask` gave it.'),
  module: z.union([
    z.strictObject({ path: z.string().startsWith('/').max(4096) }),
    z.strictObject({ digest: Digest }),
    z
      .strictObject({ offered: z.literal(true) })
      .describe('Any worker that was started with such a task; require its label `task:NAME`.'),
  ]),
  input: z.unknown(),
  limits: WorkLimits.default({}),
});

const JobFields = {
  queue: QueueName,
  name: z.string().min(1).max(200).describe('What people read in a list.'),
  work: z.discriminatedUnion('kind', [CommandWork, TaskWork]),
  priority: z.int().min(-1000).max(1000).describe('Higher starts first within its tenant.'),
  resources: z
    .strictObject({
      cores: z.number().positive().max(4096),
      memoryBytes: z
        .int()
        .min(MIB)
        .max(2 ** 50),
    })
    .describe('What a worker must have free.'),
  requires: z.array(Label).max(32).describe('Labels that a worker must have, all of them.'),
  retry: z.strictObject({
    maxAttempts: z.int().min(1).max(1000),
    backoffMs: z.int().min(0).max(DAY_MS).describe('Doubles with every attempt, with jitter.'),
    maxBackoffMs: z
      .int()
      .min(0)
      .max(30 * DAY_MS),
  }),
  parents: z.array(JobId).max(10_000).describe('Jobs that must have succeeded before.'),
  gang: z
    .strictObject({
      id: JobId,
      size: z.int().min(2).max(1024),
      rank: z.int().min(0).max(1023),
    })
    .describe('Members of a gang are started together or not at all.'),
  group: JobId.describe('The pipeline run or submission that it belongs to.'),
};

/** What a caller may ask for. */
export const NewJob = z
  .strictObject({
    ...JobFields,
    queue: JobFields.queue.default('default'),
    name: JobFields.name.optional(),
    priority: JobFields.priority.default(0),
    resources: JobFields.resources.default({ cores: 1, memoryBytes: 512 * MIB }),
    requires: JobFields.requires.default([]),
    retry: JobFields.retry.default({
      maxAttempts: 3,
      backoffMs: 1000,
      maxBackoffMs: 5 * MINUTE_MS,
    }),
    parents: JobFields.parents.default([]),
    gang: JobFields.gang.optional(),
    group: JobFields.group.optional(),
    id: JobId.describe('Chosen by the caller; must be new. Default: one is made.').optional(),
    startAfterMs: z
      .int()
      .min(0)
      .max(FOREVER_MS)
      .describe('Not started before this time has passed.')
      .optional(),
    finishWithinMs: z
      .int()
      .min(1)
      .max(FOREVER_MS)
      .describe('Failed with cause `deadline` when it has not finished by then.')
      .optional(),
    idempotencyKey: z
      .string()
      .min(1)
      .max(200)
      .describe('The same key in the same queue returns the job that exists.')
      .optional(),
    cache: z
      .boolean()
      .describe('Take the kept result of the same work over the same inputs, if there is one.')
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
    state: JobState,
    cause: JobCause.describe('Why it has not succeeded.').optional(),
    message: z.string().optional(),
    enqueuedAt: z.string(),
    notBefore: z.string().optional(),
    deadline: z.string().optional(),
    startedAt: z.string().optional(),
    endedAt: z.string().optional(),
    attempts: z.array(AttemptView),
    progress: Progress.optional(),
    result: z
      .object({
        value: z.unknown(),
        outputs: z.array(z.object({ path: z.string(), digest: Digest, sizeBytes: z.int().min(0) })),
      })
      .optional(),
    cachedFrom: JobId.describe('The job whose kept result it took.').optional(),
    checkpoint: Digest.optional(),
  })
  .meta({ id: 'Job' });
export type JobView = z.infer<typeof JobView>;

export const JobLogView = z
  .object({
    attempt: z.int().min(0),
    text: z.string().describe('stdout and stderr, as they came; broken UTF-8 is replaced.'),
    next: z.int().min(0).describe('The offset to read on from, in bytes.'),
    sizeBytes: z.int().min(0),
    ended: z.boolean().describe('Whether nothing more will come.'),
  })
  .meta({ id: 'JobLog' });
export type JobLogView = z.infer<typeof JobLogView>;

export const QueueMode = z
  .enum(['open', 'paused', 'draining'])
  .describe('`paused`: nothing starts. `draining`: nothing is accepted, what waits still starts.');

export const QueueView = z
  .object({
    queue: QueueName,
    mode: QueueMode,
    counts: z.record(JobState, z.int().min(0)),
    oldestReadyAt: z.string().describe('Since when the oldest ready job waits.').optional(),
  })
  .meta({ id: 'Queue' });
export type QueueView = z.infer<typeof QueueView>;

export const TenantView = z
  .strictObject({
    tenant: TenantName,
    weight: z.number().positive().max(1_000_000).describe('Share relative to the others.'),
    maxRunning: z.int().min(0).max(1_000_000).optional(),
    maxQueued: z.int().min(0).max(100_000_000).optional(),
    jobsPerSecond: z.number().positive().max(1_000_000).optional(),
  })
  .meta({ id: 'Tenant' });
export type TenantView = z.infer<typeof TenantView>;

export const WorkerView = z
  .object({
    worker: z.string(),
    host: z.string(),
    queues: z.array(z.string()),
    labels: z.array(z.string()),
    total: z.object({ cores: z.number(), memoryBytes: z.number() }),
    running: z.int().min(0),
    mode: z.enum(['open', 'draining']),
    startedAt: z.string(),
    seenAt: z.string(),
  })
  .meta({ id: 'Worker' });
export type WorkerView = z.infer<typeof WorkerView>;

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
    kind: z.enum(['state', 'progress', 'log', 'attempt']),
    state: JobState,
    cause: JobCause.optional(),
    progress: Progress.optional(),
  })
  .meta({ id: 'JobEvent' });
export type JobEvent = z.infer<typeof JobEvent>;

export const ArtifactView = z
  .object({ digest: Digest, sizeBytes: z.int().min(0) })
  .meta({ id: 'Artifact' });
export type ArtifactView = z.infer<typeof ArtifactView>;

const LimitSupport = z.object({
  enforced: z.boolean(),
  by: z.string().describe('Who enforces it here, or why nobody does.'),
  fix: z.string().optional(),
});

export const SandboxView = z
  .object({
    name: z.enum(['docker', 'bubblewrap', 'process']),
    available: z.boolean(),
    version: z.string().optional(),
    reason: z.string().describe('Why it is not available.').optional(),
    fix: z.string().optional(),
    untrusted: z.boolean().describe('Whether work that nobody trusts may run in it.'),
    accounting: z.string().describe('Where cpu time and peak memory come from.').optional(),
    limits: z.record(z.string(), LimitSupport),
    network: z.object({ none: z.boolean(), allowList: z.boolean(), by: z.string() }).optional(),
  })
  .meta({ id: 'Sandbox' });
export type SandboxView = z.infer<typeof SandboxView>;
