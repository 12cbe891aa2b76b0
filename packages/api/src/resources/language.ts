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
    failures: z.int().describe('One after the other, until now.'),
    closedInMs: Milliseconds.describe(
      'Until it is asked again, by all tenants or by those that `closedBy` counts; 0: it is asked now.',
    ),
    closedBy: z
      .object({
        code: z.string().describe('Of the error table; PROVIDER_QUOTA: a quota is spent.'),
        scope: z
          .enum(['provider', 'model'])
          .describe('Whether every model at the provider is away for it, or this one.'),
        tenants: z
          .int()
          .describe('How many are kept away, by failures of their own requests; absent: all.')
          .optional(),
      })
      .describe('Why it is not asked; absent: it is asked now.')
      .optional(),
    quotas: z
      .record(z.string(), Milliseconds)
      .describe('Spent quotas of the provider, and when each is reset.'),
    ttft: z
      .object({ p50: Milliseconds, p95: Milliseconds, p99: Milliseconds })
      .describe('Of the time to the first token of an empty prompt; absent: too few requests.')
      .optional(),
    msPerPromptToken: Milliseconds.describe(
      'What each token of the prompt adds to that time; 0: not known yet.',
    ),
  })
  .meta({ id: 'LanguageRoute' });

/** A quota of a provider that is spent for some time, as the state keeps it. */
export const SpentQuotaRecord = z.object({
  backend: z.string().describe('A digest of the upstream and the credential for it.'),
  providers: z.array(z.string()).describe('That use the backend, by their names.'),
  id: z.string().describe('As the upstream names it.'),
  model: z.string().describe('The model there that it counts; absent: all of them.').optional(),
  resetsAt: z.number().describe('Milliseconds since the epoch.'),
});

export const LanguageUseView = z
  .object({
    model: z.string(),
    provider: z.string().describe('Empty: from the cache, or without an answer.'),
    requests: z.int(),
    failed: z.int().describe('Without the callers that left before the end.'),
    cacheHits: z.int(),
    inputTokens: z.int().describe('Of all calls, also those that gave no answer.'),
    outputTokens: z.int().describe('Of all calls, also those that gave no answer.'),
    costUsd: z.number().describe('Of all calls, also those that gave no answer.'),
    ttftMs: z
      .object({ p50: Milliseconds, p99: Milliseconds })
      .describe('Of the time to the first token; upper bounds of buckets.')
      .optional(),
    tokensPerSecond: z.number().describe('After the first token; 0: none was streamed.'),
  })
  .meta({ id: 'LanguageUse' });
export type LanguageUseView = z.infer<typeof LanguageUseView>;

export const LanguageView = z
  .object({
    settings: LanguageSettings.describe('As declared; secrets only by reference.'),
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
      .describe('The one in progress, or the last, of a model.'),
    redactions: z
      .array(
        z.object({
          name: z.string(),
          prompts: z.int().describe('Matches that were replaced in them.'),
          answers: z.int(),
        }),
      )
      .describe('Of each that is declared, by this node since its start.'),
    use: z.array(LanguageUseView).describe('Of this node since its start.'),
    problem: z
      .string()
      .describe('Why the declared models cannot be used, such as a secret that is missing.')
      .optional(),
  })
  .meta({ id: 'LanguageModels' });
export type LanguageView = z.infer<typeof LanguageView>;
