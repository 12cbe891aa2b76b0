/** Queues, and the tenants that share them. */
import { z } from 'zod';
import { JobState } from './job-state.ts';

export const QueueName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'must be 1–63 of a–z, 0–9, ".", "_" and "-"')
  .describe('A queue; it exists as soon as a job is put into it.');

export const TenantName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/)
  .describe('Shares and quotas are counted per tenant.');

export const QueueMode = z
  .enum(['open', 'paused', 'draining'])
  .describe('`paused`: no job starts. `draining`: no job is accepted, queued jobs still start.');

export const QueueView = z
  .object({
    queue: QueueName,
    mode: QueueMode,
    counts: z.record(JobState, z.int().min(0)),
    oldestReadyAt: z.string().describe('When the oldest ready job became ready.').optional(),
    desiredWorkers: z
      .int()
      .min(0)
      .describe('Workers that it needs, so that its jobs start within 30 seconds.')
      .optional(),
    desiredWorkersWhy: z.string().optional(),
  })
  .meta({ id: 'Queue' });
export type QueueView = z.infer<typeof QueueView>;

export const TenantView = z
  .strictObject({
    tenant: TenantName,
    weight: z.number().positive().max(1_000_000).describe('Share relative to other tenants.'),
    maxRunning: z.int().min(0).max(1_000_000).optional(),
    maxQueued: z.int().min(0).max(100_000_000).optional(),
    jobsPerSecond: z.number().positive().max(1_000_000).optional(),
  })
  .meta({ id: 'Tenant' });
export type TenantView = z.infer<typeof TenantView>;
