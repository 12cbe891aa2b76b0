/** What runs jobs: workers, and the sandboxes of a machine. */
import { z } from 'zod';

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
