/** The history of deployments, and the audit trail of changes by people. */
import { z } from 'zod';

export const HistoryKind = z.enum([
  'deployed',
  'settings-changed',
  'rollout-started',
  'rollout-step',
  'rollout-finished',
  'rolled-back',
  'scaled',
  'replica-lost',
  'unloaded',
  'undeployed',
]);

export const HistoryView = z
  .object({
    id: z.int(),
    at: z.string().describe('ISO 8601, UTC.'),
    deployment: z.string(),
    kind: HistoryKind,
    reason: z.string(),
    details: z
      .record(z.string(), z.unknown())
      .describe('Facts behind the reason: versions, weights, counts, measurements.'),
    actor: z
      .string()
      .describe('A key’s id, `local` on an open node, or `skein` for the node itself.'),
  })
  .meta({ id: 'HistoryEntry' });
export type HistoryView = z.infer<typeof HistoryView>;

export const AuditView = z
  .object({
    id: z.int(),
    at: z.string().describe('ISO 8601, UTC.'),
    actor: z.string(),
    action: z.string().describe('The operation, such as `deploy`.'),
    subject: z.string().describe('The object of the operation.'),
    outcome: z.string().describe('`ok`, or the error code.'),
    remote: z.string().describe('Address of the caller.'),
  })
  .meta({ id: 'AuditEntry' });
export type AuditView = z.infer<typeof AuditView>;
