/** How another provider or version takes over a route of a language model. Times in milliseconds. */
import { z } from 'zod';
import { RolloutPlan } from './deployment.ts';
import { LanguageRoute } from './language-settings.ts';

/** A route by what it calls. */
export const RouteName = LanguageRoute.pick({ provider: true, model: true });
export type RouteName = z.infer<typeof RouteName>;

/** A language model answers nothing that could be compared within a tolerance. */
export const LanguageRolloutPlan = RolloutPlan.omit({ stickyHeader: true, tolerance: true })
  .extend({
    strategy: z
      .enum(['canary', 'shadow'])
      .describe(
        '`canary`: the new route answers by the steps, then takes over. `shadow`: requests are copied to it, and its answers are discarded.',
      )
      .default('canary'),
    maxErrorShare: z
      .number()
      .min(0)
      .max(1)
      .describe('Roll back when the share of the new route’s failures exceeds this.')
      .default(0.01),
  })
  .meta({ id: 'LanguageRolloutPlan' });
export type LanguageRolloutPlan = z.infer<typeof LanguageRolloutPlan>;

export const StartLanguageRollout = z
  .strictObject({
    route: LanguageRoute.describe('The new route; its provider is declared.'),
    replaces: RouteName.describe(
      'Route that the new one is compared with and replaces. Default: the first one.',
    ).optional(),
    plan: LanguageRolloutPlan.prefault({}),
  })
  .meta({ id: 'StartLanguageRollout' });

const Phase = z
  .enum(['shifting', 'comparing', 'finished', 'rolled-back'])
  .describe('`shifting` or `comparing`, then `finished` or `rolled-back`.');

const Side = z.object({
  requests: z.int().describe('Requests to the route, with the copies of a shadow.'),
  errors: z.int(),
  late: z.int().describe('Requests with a first token after the objective, or refused for load.'),
  ttftP99Ms: z.number().nullable().describe('p99 of the time to the first token; null: none yet.'),
});

const Seen = z.object({
  candidate: Side.describe('Counts of the new route in this step, over the fleet.'),
  stable: Side.describe('Counts of the replaced route since the rollout began, over the fleet.'),
  copies: z
    .object({
      sent: z.int(),
      skipped: z.int().describe('Copies that were not sent, because no place or budget was free.'),
      costUsd: z
        .number()
        .describe('Cost of the copies, which count in the budgets of `all` and `operator` only.'),
    })
    .describe('Copies of a shadow, over the fleet.'),
});

export const LanguageRolloutView = z
  .object({
    model: z.string(),
    strategy: z.enum(['canary', 'shadow']),
    from: z.string().describe('The route that is replaced, as PROVIDER=MODEL.'),
    to: z.string().describe('The new route, as PROVIDER=MODEL.'),
    phase: Phase,
    share: z.number().describe('Percent of the requests that the new route answers now.'),
    copied: z.number().describe('Percent of the requests that are copied to the new route now.'),
    reason: z.string(),
    startedAt: z.string(),
    ...Seen.shape,
  })
  .meta({ id: 'LanguageRollout' });
export type LanguageRolloutView = z.infer<typeof LanguageRolloutView>;

/** A rollout as the state keeps it. */
export const LanguageRolloutRecord = z.object({
  id: z.string(),
  model: z.string(),
  candidate: LanguageRoute,
  replaces: RouteName,
  before: z.array(LanguageRoute).describe('Routes to which a rollback returns.'),
  plan: LanguageRolloutPlan,
  phase: Phase,
  step: z.int(),
  stepStartedAt: z.number().describe('Milliseconds since the epoch.'),
  startedAt: z.string(),
  reason: z.string(),
  seen: Seen.describe('Counts that decided the rollout, once it is over.').optional(),
});
export type LanguageRolloutRecord = z.infer<typeof LanguageRolloutRecord>;

const Counts = z.object({ requests: z.int(), errors: z.int(), late: z.int(), odd: z.int() });
const Digest = z.array(z.number());

/** One member's measurements of a rollout, as the state keeps them. */
export const LanguageRolloutWindow = z.object({
  rollout: z.string().describe('Its id.'),
  window: z.object({
    step: z.int(),
    candidate: Counts,
    stable: Counts,
    latency: z.object({ candidate: Digest, stable: Digest }),
    copies: z.object({ sent: z.int(), skipped: z.int(), nanoDollars: z.number() }),
  }),
});
