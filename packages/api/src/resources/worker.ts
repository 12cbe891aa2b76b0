/** Workers, and the sandboxes of a machine. */
import { z } from 'zod';
import { SANDBOX_NAMES } from '../implementations.ts';

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

const LimitSupport = z.object({
  enforced: z.boolean(),
  by: z.string().describe('What enforces it here, or why it is not enforced.'),
  fix: z.string().optional(),
});

export const SandboxView = z
  .object({
    name: z.enum(SANDBOX_NAMES),
    available: z.boolean(),
    version: z.string().optional(),
    reason: z.string().describe('Why it is not available.').optional(),
    fix: z.string().optional(),
    untrusted: z.boolean().describe('Whether untrusted work may run in it.'),
    accounting: z.string().describe('The source of cpu time and peak memory.').optional(),
    limits: z.record(z.string(), LimitSupport),
    network: z.object({ none: z.boolean(), allowList: z.boolean(), by: z.string() }).optional(),
  })
  .meta({ id: 'Sandbox' });
export type SandboxView = z.infer<typeof SandboxView>;
