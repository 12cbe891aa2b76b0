/** Devices that run bundles, as members of the registry: what they report, and which version they may install. */
import { z } from 'zod';
import { safeLine } from '../safe-text.ts';
import { Name } from './deployment.ts';

/** Failed versions of a report, and characters of each reason. */
export const MOST_FAILED = 20;
export const LONGEST_REASON = 200;
/** Pairs of bucket and count of a latency histogram. */
const MOST_BUCKETS = 336;

export const DeviceId = z
  .string()
  .regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits')
  .describe('Id of the device; it follows from its key.');
const Key = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a public key in hex')
  .describe('Public Ed25519 key of the device, in hex.');
const Signature = z.string().regex(/^[0-9a-f]{128}$/, 'must be an Ed25519 signature in hex');
const Line = z
  .string()
  .refine((text) => safeLine(text) === text, 'must have no control characters');
const BundleVersion = z.int().min(1).describe('Version of the bundle.');
const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const Amount = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const Time = z.string().describe('ISO 8601, UTC.');

export const DeviceLabels = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be 1–63 of a–z, 0–9, ".", "_", "-"'),
    Line.min(1).max(63),
  )
  .refine((labels) => Object.keys(labels).length <= 16, 'must have at most 16 labels')
  .describe('Labels that the operator gave it, such as `{ "site": "a" }`.');
export type DeviceLabels = z.infer<typeof DeviceLabels>;

/** Answers of one version since the report before. */
const VersionCounts = z.strictObject({
  version: BundleVersion,
  requests: Count,
  errors: Count.describe('Runs that ended the process of the model, or that it could not begin.'),
  late: Count.describe('Answers after their deadline.'),
  latency: z
    .array(Count)
    .max(2 * MOST_BUCKETS)
    .describe('Filled buckets of 5 % from 0.05 ms on, each followed by its count.'),
});

/** Counts and times only: nothing of an input, of an output, or of the place where they are from. */
export const DeviceReport = z
  .strictObject({
    model: Name.describe('Name of the bundle.'),
    version: BundleVersion.nullable().describe('The installed version; null: none.'),
    digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable()
      .describe('SHA-256 of its manifest.'),
    trial: z.boolean().describe('Whether the version may still be rolled back.'),
    published: BundleVersion.nullable().describe('Newest version that it has seen.'),
    failed: z
      .array(z.strictObject({ version: BundleVersion, reason: Line.max(LONGEST_REASON) }))
      .max(MOST_FAILED)
      .describe('Versions that failed here, and are not installed again.'),
    latency: z
      .strictObject({ p50Ms: Amount, p90Ms: Amount, p99Ms: Amount, runs: Count })
      .nullable()
      .describe('Quantiles of its recent runs; null: too few.'),
    answers: z
      .strictObject({ local: Count, remote: Count, hedged: Count, refused: Count })
      .describe(
        'Answers since its process started, by where they came from. `hedged`: asked of both, where one was cancelled.',
      ),
    energyProxies: z
      .strictObject({ cpuSeconds: Amount, bytesReceived: Amount, bytesSent: Amount })
      .describe(
        'Proxies of energy since its process started, because it has no power counter. `cpuSeconds`: time of runs × threads. Bytes: files of bundles, and tensors to and from a node.',
      ),
    last: z
      .strictObject({
        where: z.enum(['local', 'remote', 'refused']),
        why: Line.max(LONGEST_REASON),
        at: Time.max(40),
      })
      .nullable()
      .describe('Its last decision.'),
    counts: z
      .array(VersionCounts)
      .max(4)
      .describe('Answers on the device since the report before, by version.'),
  })
  .meta({ id: 'DeviceReport' });
export type DeviceReport = z.infer<typeof DeviceReport>;

export const SignedDeviceReport = z
  .strictObject({
    sequence: Count.min(1).describe(
      'Higher than in the report before; the same where a report is sent again.',
    ),
    report: DeviceReport,
    signature: Signature.describe(
      'By the key of the device over its id, the sequence and the report.',
    ),
  })
  .meta({ id: 'SignedDeviceReport' });

export const EnrolDevice = z
  .strictObject({
    invitation: z
      .string()
      .regex(/^[0-9a-f]{16}\.[0-9a-f]{64}$/)
      .describe('Id and secret of the invitation.'),
    key: Key,
    signature: Signature.describe('By the key, over the id of the invitation and the key.'),
  })
  .meta({ id: 'EnrolDevice' });

export const DevicePermission = z
  .strictObject({
    upTo: z.int().min(0).describe('Newest version that it may install.'),
    first: z
      .boolean()
      .describe('Whether a device without a version may install a newer one all the same.'),
    why: z.string(),
  })
  .describe(
    'What a staged rollout allows the device. A device never goes back to an older version.',
  )
  .meta({ id: 'DevicePermission' });
export type DevicePermission = z.infer<typeof DevicePermission>;

const Share = z.number().gt(0).max(100).describe('Percent of the devices that have the labels.');

export const StartDeviceRollout = z
  .strictObject({
    version: BundleVersion,
    share: Share,
    labels: DeviceLabels.default({}).describe('Only devices that have all of these labels.'),
    minRequests: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .default(20)
      .describe('Answers of the version before they are judged.'),
    maxErrorShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe('Halt above this share of failed devices or answers.'),
    objectiveMs: z
      .number()
      .positive()
      .max(600_000)
      .optional()
      .describe('Bound of the p99 on the devices. Absent: the deadlines of the devices count.'),
  })
  .meta({ id: 'StartDeviceRollout' });

const RolloutSide = z.strictObject({
  requests: Count,
  errors: Count,
  late: Count,
  p99Ms: z.number().nullable(),
});

export const DeviceRolloutView = z
  .strictObject({
    model: z.string(),
    version: BundleVersion,
    share: Share,
    labels: DeviceLabels,
    phase: z.enum(['running', 'halted']),
    reason: z.string().describe('Reason of the phase.'),
    startedAt: Time,
    devices: z
      .strictObject({
        reporting: Count.describe('Devices of the bundle.'),
        included: Count.describe('Devices that may have the version.'),
        installed: Count,
        failed: Count.describe('Devices on which it failed since the rollout began.'),
      })
      .describe('Devices of the bundle.'),
    opinion: z.enum(['good', 'bad', 'doubtful', 'unknown']),
    verdict: z.string().describe('Why that opinion.'),
    candidate: RolloutSide.describe('Answers of the version on the devices.'),
    stable: RolloutSide.describe('Answers of the versions before, since the rollout began.'),
  })
  .meta({ id: 'DeviceRollout' });
export type DeviceRolloutView = z.infer<typeof DeviceRolloutView>;

export const DeviceView = z
  .strictObject({
    id: DeviceId,
    name: z.string().describe('As the operator invited it.'),
    labels: DeviceLabels,
    key: Key,
    state: z
      .enum(['enrolled', 'reporting', 'silent'])
      .describe('`enrolled`: no report yet. `silent`: the last report is overdue.'),
    enrolledAt: Time,
    reportedAt: Time.nullable(),
    report: DeviceReport.omit({ counts: true }).nullable(),
    permission: DevicePermission.nullable().describe('Null: no rollout holds it back.'),
  })
  .meta({ id: 'Device' });
export type DeviceView = z.infer<typeof DeviceView>;
