/** The work of a job: a command in a sandbox, or a task in TypeScript. */
import { z } from 'zod';
import { Digest } from './artifact.ts';
import { SANDBOX_NAMES } from '../implementations.ts';

export const MIB = 1024 * 1024;
/** Longest duration that a field of a job may have, in milliseconds: ten years. */
export const FOREVER_MS = 3650 * 24 * 3_600_000;

/** Longest name of a file on every file system in use, in bytes of UTF-8. */
const NAME_BYTES = 255;
const utf8 = new TextEncoder();

/** The kernel ends each word of a command, and each path, at a NUL. */
const withoutNul = (text: string): boolean => !text.includes('\0');
const NUL = 'must not have a NUL character';
const Word = z.string().max(131_072).refine(withoutNul, NUL);

/** A relative, normalised path inside the workspace. */
const WorkspacePath = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (path) => path.split('/').every((part) => utf8.encode(part).byteLength <= NAME_BYTES),
    `must have no part of more than ${NAME_BYTES} bytes`,
  )
  .refine(withoutNul, NUL)
  .refine(
    (path) =>
      !path.startsWith('/') &&
      path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a relative path without ".", ".." and empty parts',
  );

const WorkLimits = z
  .strictObject({
    cpuMs: z.int().min(1).max(FOREVER_MS).describe('User plus system time of all processes.'),
    wallMs: z.int().min(1).max(FOREVER_MS).describe('Wall time. Default: one hour.'),
    memoryBytes: z
      .int()
      .min(MIB)
      .max(2 ** 50)
      .describe('Memory of all processes together. Default: `resources.memoryBytes`.'),
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
    cores: z.number().positive().max(4096).describe('Default: `resources.cores`.'),
  })
  .partial();

const NetworkPolicy = z
  .union([
    z.enum(['none', 'host']),
    z.strictObject({
      allow: z
        .array(
          z
            .string()
            .regex(/^[^\s:]+:\d{1,5}$/)
            .refine(withoutNul, NUL),
        )
        .max(100),
    }),
  ])
  .describe(
    '`none`, `host` (trusted work only), or the only `host:port` pairs that can be reached.',
  );

const CommandWork = z.strictObject({
  kind: z.literal('command'),
  argv: z
    .array(Word)
    .min(1)
    .max(1000)
    .refine(([program]) => program !== '', 'must begin with a program')
    .describe('The program and its arguments; nothing passes through a shell.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/), Word)
    .refine((env) => Object.keys(env).length <= 1000, 'must have at most 1000 variables')
    .optional(),
  image: z
    .string()
    .min(1)
    .max(255)
    .refine(withoutNul, NUL)
    .describe(
      'Root file system of the sandbox: the name of an image that the operator registered. A path, or another reference of Docker, needs the scope `admin`.',
    )
    .optional(),
  sandbox: z
    .enum(SANDBOX_NAMES)
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
    .describe('Whether a command that fails is retried; a command of a lost worker always is.')
    .default(true),
  checkpoint: WorkspacePath.describe(
    'Path whose files are kept whenever the command writes a line `::checkpoint` to stderr, and when an attempt is preempted or fails; they are restored for the next one.',
  ).optional(),
  stdin: Digest.describe('An artifact that becomes stdin.').optional(),
  limits: WorkLimits.default({}),
  network: NetworkPolicy.default('none'),
});

const TaskWork = z.strictObject({
  kind: z.literal('task'),
  task: z.string().min(1).max(200).describe('Name of the task, as `defineTask` gave it.'),
  module: z.union([
    z.strictObject({ path: z.string().startsWith('/').max(4096).refine(withoutNul, NUL) }),
    z.strictObject({ digest: Digest }),
    z
      .strictObject({ offered: z.literal(true) })
      .describe('Any worker that was started with such a task; require its label `task:NAME`.'),
  ]),
  input: z.unknown(),
  limits: WorkLimits.default({}),
});

export const Work = z.discriminatedUnion('kind', [CommandWork, TaskWork]);
