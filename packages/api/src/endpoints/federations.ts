/** Federations that this node coordinates. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { LONGEST_SITE_NAME } from '../federations.ts';
import { Name } from '../resources/deployment.ts';
import {
  FederationId,
  FederationLedger,
  FederationView,
  SiteKey,
} from '../resources/federation.ts';
import { FederationStatistics } from '../resources/federation-statistics.ts';
import { VersionNumber } from './parameters.ts';

const FederationParam = z.strictObject({ id: FederationId });
const Reason = z
  .strictObject({ reason: z.string().max(2000).describe('Reason for the ledger.').default('') })
  .meta({ id: 'FederationReason' });
const Share = z.coerce.number<number>().gt(0).lt(1);
const heart = { id: 'heart-3f9a' };
/** Common fields of pausing, resuming and stopping a federation. */
const steering = {
  method: 'POST',
  scope: 'admin',
  params: FederationParam,
  body: Reason,
  response: FederationView,
  errors: ['FEDERATION_UNKNOWN', 'FEDERATION_ENDED'],
} as const;

export const FEDERATION_ENDPOINTS = {
  listFederations: {
    method: 'GET',
    path: '/api/v1/federations',
    summary: 'List the federations that this node coordinates, newest first.',
    scope: 'read',
    response: z.object({ federations: z.array(FederationView) }),
  },
  getFederation: {
    method: 'GET',
    path: '/api/v1/federations/{id}',
    summary: 'Show a federation: its plan, its sites, its round, and what privacy it has spent.',
    scope: 'read',
    params: FederationParam,
    response: FederationView,
    errors: ['FEDERATION_UNKNOWN'],
    example: { params: heart },
  },
  startFederation: {
    method: 'POST',
    path: '/api/v1/federations',
    summary: 'Start a federation that trains a stored version of a model.',
    description:
      'Fields that the plan leaves out follow from the others: the threshold, the noise that fits the budget. Secure aggregation and differential privacy are on unless the plan turns them off. The result becomes the next version of the model.',
    scope: 'admin',
    body: z
      .strictObject({
        model: Name.describe('The model to train.'),
        version: VersionNumber,
        plan: z
          .record(z.string(), z.json())
          .describe(
            'The draft of a plan, without name, model and task: these follow from the model.',
          ),
      })
      .meta({ id: 'StartFederation' }),
    status: 201,
    response: FederationView,
    location: '/api/v1/federations/{id}',
    errors: [
      'MODEL_UNKNOWN',
      'VERSION_UNKNOWN',
      'PLAN_INVALID',
      'PRIVACY_UNATTAINABLE',
      'TRAINING_MODEL_UNFIT',
      'STORAGE_FULL',
    ],
    example: {
      body: {
        model: 'heart',
        version: '1',
        plan: {
          data: {
            features: [{ name: 'age', kind: 'number', low: 20, high: 90 }],
            target: { name: 'disease', kind: 'category', classes: ['0', '1'] },
          },
          strategy: { name: 'fedsgd' },
          rounds: 30,
          privacy: { mode: 'patient', epsilon: 1, denominator: 500 },
          sites: { minimum: 4 },
        },
      },
    },
  },
  inviteSite: {
    method: 'POST',
    path: '/api/v1/federations/{id}/invitations',
    summary: 'Invite a site or a helper; the answer holds a secret that is shown once.',
    scope: 'admin',
    params: FederationParam,
    body: z
      .strictObject({
        name: z.string().min(1).max(LONGEST_SITE_NAME).describe('How the operator calls the site.'),
        role: z
          .enum(['site', 'helper'])
          .default('site')
          .describe('`helper`: for a key that the plan names.'),
        uses: z
          .int()
          .min(1)
          .max(100_000)
          .default(1)
          .describe('How many sites may use it; each gets the name with a number.'),
        validMs: z.int().min(1).describe('Default: a week.').optional(),
      })
      .meta({ id: 'InviteSite' }),
    status: 201,
    response: z.object({
      invitation: z.string().describe('For `skein join`, the page `/join` or `skein helper join`.'),
    }),
    errors: ['FEDERATION_UNKNOWN', 'FEDERATION_ENDED'],
    example: { params: heart, body: { name: 'Cleveland' } },
  },
  revokeSite: {
    method: 'DELETE',
    path: '/api/v1/federations/{id}/sites/{key}',
    summary: 'Revoke a site: it can no longer take part.',
    scope: 'admin',
    params: FederationParam.extend({ key: SiteKey }),
    errors: ['FEDERATION_UNKNOWN', 'IDENTITY_UNKNOWN'],
    example: { params: { ...heart, key: 'ab'.repeat(32) } },
  },
  pauseFederation: {
    ...steering,
    path: '/api/v1/federations/{id}/pause',
    summary: 'Pause a federation after what is in flight; no site is asked for anything.',
    example: { params: heart, body: { reason: 'maintenance' } },
  },
  resumeFederation: {
    ...steering,
    path: '/api/v1/federations/{id}/resume',
    summary: 'Resume a paused federation.',
    example: { params: heart, body: {} },
  },
  stopFederation: {
    ...steering,
    path: '/api/v1/federations/{id}/stop',
    summary: 'End a federation; the model of its last round is kept as a version.',
    example: { params: heart, body: { reason: 'the study has ended' } },
  },
  getStatistics: {
    method: 'GET',
    path: '/api/v1/federations/{id}/statistics',
    summary: 'Show the noised counts of a federation that counts, and what follows from them.',
    scope: 'read',
    params: FederationParam,
    query: z.strictObject({
      coverage: Share.describe('Share of rows whose class is in their set.').default(0.9),
      threshold: Share.describe('Probability at which a row counts as positive.').default(0.5),
    }),
    response: FederationStatistics,
    errors: ['FEDERATION_UNKNOWN', 'STATISTICS_MISSING'],
    example: { params: heart, query: { coverage: '0.9' } },
  },
  getLedger: {
    method: 'GET',
    path: '/api/v1/federations/{id}/ledger',
    summary: 'Export the ledger, which a participant can verify offline.',
    scope: 'read',
    params: FederationParam,
    response: FederationLedger,
    errors: ['FEDERATION_UNKNOWN'],
    example: { params: heart },
  },
} as const satisfies Record<string, NodeEndpoint>;
