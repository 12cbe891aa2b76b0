/** API keys as the API shows them: never with the secret, except once, in the answer that made it. */
import { z } from 'zod';
import { safeLine } from '../safe-text.ts';

export const ScopeName = z.enum(['infer', 'read', 'jobs', 'admin']);

const KeyFields = {
  label: z
    .string()
    .min(1)
    .max(100)
    .refine((label) => safeLine(label) === label, 'must have no control characters')
    .describe('The owner of the key, for people.'),
  tenant: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/)
    .describe('Share and quota are counted per tenant.'),
  scopes: z
    .array(ScopeName)
    .min(1)
    .max(4)
    .describe(
      '`infer`: call models. `jobs`: run isolated jobs of its tenant. `read`: see the node. `admin`: change it.',
    ),
  ratePerSecond: z
    .number()
    .positive()
    .max(1_000_000)
    .describe('Requests per second; absent: unlimited.')
    .optional(),
  maxConcurrent: z
    .int()
    .positive()
    .max(1_000_000)
    .describe('Requests that may wait or run at once; absent: unlimited.')
    .optional(),
  weight: z
    .number()
    .min(0.01)
    .max(1000)
    .describe(
      'Share of its tenant when several tenants compete for a resource: 3 gets three times as much as 1. Of several keys of a tenant the largest counts; absent: 1.',
    )
    .optional(),
};

export const NewKey = z
  .strictObject({
    ...KeyFields,
    tenant: KeyFields.tenant.default('default'),
    scopes: KeyFields.scopes.default(['infer']),
    expiresAt: z.iso
      .datetime()
      .describe('ISO 8601 in UTC, such as 2030-01-31T00:00:00Z; absent: never.')
      .optional(),
  })
  .meta({ id: 'NewKey' });
export type NewKey = z.infer<typeof NewKey>;

export const KeyView = z
  .object({
    id: z.string(),
    ...KeyFields,
    createdAt: z.string(),
    expiresAt: z.string().optional(),
    revokedAt: z.string().optional(),
  })
  .meta({ id: 'Key' });
export type KeyView = z.infer<typeof KeyView>;

export const CreatedKeyView = KeyView.extend({
  secret: z
    .string()
    .describe('The key itself, shown this once. Send it as `Authorization: Bearer …`.'),
}).meta({ id: 'CreatedKey' });
export type CreatedKeyView = z.infer<typeof CreatedKeyView>;

export const BudgetUsageView = z
  .object({
    name: z.string().describe('Such as `bodies`, `artifacts` or `queued_jobs`.'),
    unit: z.enum(['bytes', 'count']),
    held: z.number().min(0).describe('Held by the tenant of the key, over all of its keys.'),
    limit: z
      .number()
      .min(0)
      .describe(
        'The current limit of the tenant; it depends on the amounts that other tenants hold.',
      )
      .optional(),
  })
  .meta({ id: 'BudgetUsage' });
export type BudgetUsageView = z.infer<typeof BudgetUsageView>;

export const KeyDetailsView = KeyView.extend({
  durable: z
    .boolean()
    .describe('Whether the key is on disk; false after a revocation on a full disk.'),
  usage: z.array(BudgetUsageView),
}).meta({ id: 'KeyDetails' });
export type KeyDetailsView = z.infer<typeof KeyDetailsView>;
