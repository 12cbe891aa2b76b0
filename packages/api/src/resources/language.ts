/** Language models as the management API shows them. Money is in US dollars, times in milliseconds. */
import { z } from 'zod';
import {
  LanguageBudget,
  LanguageModel,
  LanguageProvider,
  LanguageSettings,
} from './language-settings.ts';
import { LanguageRolloutView } from './language-rollout.ts';

/** The name is in the path. */
export const ProviderDeclaration = LanguageProvider.omit({ name: true }).meta({
  id: 'ProviderDeclaration',
});
export const LanguageModelDeclaration = LanguageModel.omit({ name: true }).meta({
  id: 'LanguageModelDeclaration',
});
/** The subject and the period are in the path. */
export const BudgetDeclaration = z
  .strictObject({
    usd: LanguageBudget.shape.usd,
    tokens: LanguageBudget.shape.tokens,
  })
  .refine(({ usd, tokens }) => usd !== undefined || tokens !== undefined, 'needs usd or tokens')
  .meta({ id: 'BudgetDeclaration' });

export const LanguageModelCheck = z
  .object({
    routes: z.array(
      z.object({
        provider: z.string(),
        model: z.string().describe('Its name at the provider.'),
        problem: z
          .object({ code: z.string(), message: z.string(), fix: z.string() })
          .describe('The error that a request would get; absent: the provider reports none.')
          .optional(),
      }),
    ),
  })
  .meta({ id: 'LanguageModelCheck' });
export type LanguageModelCheck = z.infer<typeof LanguageModelCheck>;

const Milliseconds = z.number();

export const LanguageRouteView = z
  .object({
    provider: z.string(),
    model: z.string().describe('Its name at the provider.'),
    running: z.int(),
    waiting: z.int(),
    failures: z.int().describe('Consecutive failures, until now.'),
    closedInMs: Milliseconds.describe(
      'Time until the route is used again, by all tenants or by those that `closedBy` counts; 0: it is used now.',
    ),
    closedBy: z
      .object({
        code: z.string().describe('Code of the error table; PROVIDER_QUOTA: a quota is spent.'),
        scope: z
          .enum(['provider', 'model'])
          .describe('`provider`: no model at the provider is used; `model`: only this one is not.'),
        tenants: z
          .int()
          .describe(
            'Number of tenants that may not use it, after failures of their own requests; absent: all.',
          )
          .optional(),
      })
      .describe('Reason why the route is not used; absent: it is used now.')
      .optional(),
    quotas: z
      .record(z.string(), Milliseconds)
      .describe('Spent quotas of the provider, with the time until each is reset.'),
    ttft: z
      .object({ p50: Milliseconds, p95: Milliseconds, p99: Milliseconds })
      .describe(
        'Quantiles of the time to the first token of an empty prompt; absent: too few requests.',
      )
      .optional(),
    msPerPromptToken: Milliseconds.describe(
      'Time that each token of the prompt adds; 0: not measured yet.',
    ),
  })
  .meta({ id: 'LanguageRoute' });

/** A quota of a provider that is spent for some time, as the state keeps it. */
export const SpentQuotaRecord = z.object({
  backend: z.string().describe('A digest of the upstream and the credential for it.'),
  providers: z.array(z.string()).describe('Names of the providers that use the backend.'),
  id: z.string().describe('Name of the quota at the upstream.'),
  model: z
    .string()
    .describe('Model at the upstream that the quota counts; absent: all of them.')
    .optional(),
  resetsAt: z.number().describe('Milliseconds since the epoch.'),
});

export const LanguageUseView = z
  .object({
    model: z.string(),
    provider: z
      .string()
      .describe(
        'Name of the provider; empty: answers of the cache, and requests without an answer.',
      ),
    requests: z.int(),
    failed: z.int().describe('Failed requests, without those whose caller left before the end.'),
    cacheHits: z.int(),
    inputTokens: z.int().describe('Prompt tokens of all calls, with or without an answer.'),
    outputTokens: z.int().describe('Answer tokens of all calls, with or without an answer.'),
    costUsd: z.number().describe('Cost of all calls, with or without an answer.'),
    ttftMs: z
      .object({ p50: Milliseconds, p99: Milliseconds })
      .describe('Quantiles of the time to the first token, as upper bounds of buckets.')
      .optional(),
    tokensPerSecond: z.number().describe('Rate after the first token; 0: no answer was streamed.'),
  })
  .meta({ id: 'LanguageUse' });
export type LanguageUseView = z.infer<typeof LanguageUseView>;

export const LanguageView = z
  .object({
    settings: LanguageSettings.describe('Settings as declared; secrets only by reference.'),
    models: z.array(
      z.object({
        name: z.string(),
        ttftMs: Milliseconds,
        routes: z.array(LanguageRouteView),
      }),
    ),
    budgets: z.array(
      z.object({
        subject: z.string(),
        period: z.string(),
        unit: z.enum(['usd', 'tokens']),
        limit: z.number(),
        taken: z.number().describe('Spent, or reserved for requests in flight.'),
      }),
    ),
    rollouts: z
      .array(LanguageRolloutView)
      .describe('Rollout of each model: in progress, or the last one.'),
    redactions: z
      .array(
        z.object({
          name: z.string(),
          prompts: z.int().describe('Matches that were replaced in prompts.'),
          answers: z.int(),
        }),
      )
      .describe('Counts of each declared redaction, by this node since its start.'),
    use: z.array(LanguageUseView).describe('Requests of this node since its start.'),
    problem: z
      .string()
      .describe('Reason why the declared models cannot be used, such as a missing secret.')
      .optional(),
  })
  .meta({ id: 'LanguageModels' });
export type LanguageView = z.infer<typeof LanguageView>;
