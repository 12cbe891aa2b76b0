/** Federations: their plan, their sites, and the privacy that they have spent. */
import { z } from 'zod';

export const FederationId = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, 'must be 1–64 of a–z, 0–9, "-"')
  .describe('Id of the federation.');

export const SiteKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a public key in hex')
  .describe('Public key of a site, in hex.');

/** The fields of a plan that are shown by name; each site signs the whole of it. */
export const FederationPlan = z
  .looseObject({
    name: z.string(),
    rounds: z.int(),
    model: z.looseObject({ digest: z.string(), parameters: z.int() }),
    strategy: z.looseObject({ name: z.string() }),
    aggregation: z.looseObject({
      kind: z.enum(['pairwise', 'committee', 'none']),
      helpers: z
        .array(z.looseObject({ name: z.string(), identity: SiteKey }))
        .describe('Of kind committee.')
        .optional(),
    }),
    privacy: z.looseObject({
      mode: z.enum(['patient', 'client', 'none']),
      epsilon: z.number().describe('The budget, at `delta`.').optional(),
      delta: z.number().optional(),
      noise: z.number().describe('Standard deviation of the noise over `clip`.').optional(),
      clip: z.number().optional(),
    }),
    sites: z.looseObject({ minimum: z.int(), maximum: z.int(), threshold: z.int() }),
  })
  .describe('Everything that a site agrees to; docs/guide/federation.md explains each field.')
  .meta({ id: 'FederationPlan' });
export type FederationPlan = z.infer<typeof FederationPlan>;

export const FederationStatus = z.enum(['running', 'paused', 'finished', 'stopped', 'failed']);
export type FederationStatus = z.infer<typeof FederationStatus>;

const Time = z.string().describe('ISO 8601, UTC.');

export const FederationSite = z
  .strictObject({
    key: SiteKey,
    pseudonym: z.string().describe('Its name in the ledger.'),
    name: z.string().describe('As the operator invited it.'),
    role: z.enum(['site', 'helper']),
    accepted: z.boolean().describe('Whether it has signed the plan.'),
    waiting: z
      .boolean()
      .describe('It was refused for `maximum`, and joins when a place becomes free.'),
    connected: z.boolean(),
    answered: z.boolean().describe('Whether its answer to the present phase is stored.'),
    revokedAt: Time.optional(),
  })
  .meta({ id: 'FederationSite' });
export type FederationSite = z.infer<typeof FederationSite>;

export const SpentPrivacy = z
  .strictObject({
    colluding: z
      .int()
      .describe(
        'Sites, or helpers of a committee, that share what they know with the coordinator.',
      ),
    epsilon: z.number().nullable().describe('Null: no bound.'),
  })
  .meta({ id: 'SpentPrivacy' });

export const FederationView = z
  .strictObject({
    id: FederationId,
    name: z.string().describe('Also the name of the model whose next version results.'),
    status: FederationStatus,
    reason: z.string().optional(),
    round: z.int().describe('Rounds that are done.'),
    attempt: z.int().describe('How often the present round was aborted.'),
    phase: z.string().describe('`gather`: waiting for sites.'),
    plan: FederationPlan,
    planDigest: z.string(),
    sites: z.array(FederationSite),
    spent: z.array(SpentPrivacy).describe('Empty without differential privacy.'),
    version: z.string().describe('The version of the model that resulted.').optional(),
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'FederationView' });
export type FederationView = z.infer<typeof FederationView>;

export const FederationLedger = z
  .looseObject({
    format: z.literal('skein-ledger/1'),
    coordinator: SiteKey,
    plan: FederationPlan,
    entries: z.array(
      z.looseObject({
        sequence: z.int(),
        at: Time,
        hash: z.string(),
        event: z.looseObject({ kind: z.string() }),
      }),
    ),
    head: z.looseObject({ entries: z.int(), hash: z.string() }),
  })
  .describe('What `skein ledger verify` checks.')
  .meta({ id: 'FederationLedger' });
export type FederationLedger = z.infer<typeof FederationLedger>;
