/** Language models: their providers, routes, budgets, and which tenant may use what. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import {
  LanguageBudget,
  LanguageModel,
  LanguageProvider,
  Redaction,
  RedactionDeclaration,
  StoredResponsesDeclaration,
  TenantProviders,
} from '../resources/language-settings.ts';
import {
  BudgetDeclaration,
  LanguageModelCheck,
  LanguageModelDeclaration,
  LanguageView,
  ProviderDeclaration,
} from '../resources/language.ts';
import { LanguageRolloutView, StartLanguageRollout } from '../resources/language-rollout.ts';

const Provider = z.strictObject({ name: LanguageProvider.shape.name });
const Model = z.strictObject({ name: LanguageModel.shape.name });
const Budget = z.strictObject({
  subject: LanguageBudget.shape.subject,
  period: z.enum(['minute', 'day', 'month']).describe('Begins at midnight UTC.'),
});
const Tenant = z.strictObject({ tenant: TenantProviders.shape.tenant });
const RedactionName = z.strictObject({ name: Redaction.shape.name });
const WRITE_ERRORS = ['STORAGE_FULL', 'PROVIDER_INVALID'] as const;
const declaration = {
  method: 'PUT',
  scope: 'admin',
  errors: WRITE_ERRORS,
} as const;
const removal = {
  method: 'DELETE',
  scope: 'admin',
  errors: ['PROVIDER_INVALID'],
} as const;

export const LANGUAGE_ENDPOINTS = {
  getLanguageModels: {
    method: 'GET',
    path: '/api/v1/language',
    summary: 'Show the language models: what is declared, how the routes stand, what was used.',
    scope: 'read',
    response: LanguageView,
  },
  putProvider: {
    ...declaration,
    errors: [...WRITE_ERRORS, 'LANGUAGE_MODEL_INVALID', 'GGUF_UNAVAILABLE'],
    path: '/api/v1/language/providers/{name}',
    summary: 'Declare a provider of language models, or replace its declaration.',
    description:
      'The secret itself is never sent: `apiKey` names the place where the node reads it. The declaration is refused when the secret cannot be read there.',
    params: Provider,
    body: ProviderDeclaration,
    example: { params: { name: 'google' }, body: { kind: 'gemini', apiKey: 'env:GEMINI_API_KEY' } },
  },
  removeProvider: {
    ...removal,
    path: '/api/v1/language/providers/{name}',
    summary: 'Remove a provider that no model names.',
    params: Provider,
    example: { params: { name: 'google' } },
  },
  putLanguageModel: {
    method: 'PUT',
    path: '/api/v1/language/models/{name}',
    summary: 'Declare a language model by its routes to providers, or replace its declaration.',
    scope: 'admin',
    params: Model,
    body: LanguageModelDeclaration,
    errors: [...WRITE_ERRORS, 'ROLLOUT_IN_PROGRESS'],
    example: {
      params: { name: 'assistant' },
      body: { routes: [{ provider: 'google', model: 'gemini-2.5-flash' }] },
    },
  },
  removeLanguageModel: {
    method: 'DELETE',
    path: '/api/v1/language/models/{name}',
    summary: 'Remove a language model.',
    scope: 'admin',
    params: Model,
    errors: ['MODEL_UNKNOWN'],
    example: { params: { name: 'assistant' } },
  },
  checkLanguageModel: {
    method: 'POST',
    path: '/api/v1/language/models/{name}/check',
    summary: 'Ask the provider of each route of a language model whether it has the model.',
    description:
      'It costs nothing. A provider without a list of models cannot answer; the first request then shows it.',
    scope: 'admin',
    params: Model,
    response: LanguageModelCheck,
    errors: ['MODEL_UNKNOWN', 'PROVIDER_INVALID'],
    example: { params: { name: 'assistant' } },
  },
  rollOutLanguageModel: {
    method: 'POST',
    path: '/api/v1/language/models/{name}/rollout',
    summary: 'Begin to replace a route of a language model, as a canary or a shadow.',
    description:
      'Answers at once; the rollout continues in the background. It rolls back automatically when the new route is worse: it fails or is late more often than the replaced route, and than the plan or the objective allows.',
    scope: 'admin',
    params: Model,
    body: StartLanguageRollout,
    response: LanguageRolloutView,
    errors: [...WRITE_ERRORS, 'MODEL_UNKNOWN', 'ROLLOUT_IN_PROGRESS'],
    example: {
      params: { name: 'assistant' },
      body: {
        route: { provider: 'google', model: 'gemini-3-flash' },
        plan: { strategy: 'canary', steps: [5, 25, 100] },
      },
    },
  },
  rollBackLanguageModel: {
    method: 'POST',
    path: '/api/v1/language/models/{name}/rollback',
    summary:
      'Abort the rollout of a language model, or return to the routes before one that has finished.',
    scope: 'admin',
    params: Model,
    body: z
      .strictObject({
        reason: z.string().min(1).max(500).default('asked for over the API'),
      })
      .meta({ id: 'RollBackLanguageModel' }),
    response: LanguageRolloutView,
    errors: [...WRITE_ERRORS, 'MODEL_UNKNOWN', 'ROLLOUT_IN_PROGRESS', 'NOTHING_TO_ROLL_BACK'],
    example: { params: { name: 'assistant' }, body: { reason: 'worse answers' } },
  },
  putBudget: {
    ...declaration,
    path: '/api/v1/language/budgets/{subject}/{period}',
    summary: 'Bound the money or the tokens of all, a tenant or a key in a period.',
    params: Budget,
    body: BudgetDeclaration,
    example: { params: { subject: 'tenant:shop', period: 'day' }, body: { usd: 5 } },
  },
  removeBudget: {
    ...removal,
    path: '/api/v1/language/budgets/{subject}/{period}',
    summary: 'Remove a budget.',
    params: Budget,
    example: { params: { subject: 'tenant:shop', period: 'day' } },
  },
  putTenantProviders: {
    ...declaration,
    path: '/api/v1/language/tenants/{tenant}',
    summary: 'Set the providers to which the data of a tenant may go.',
    description: 'A tenant that is not listed may use all providers; an empty list allows none.',
    params: Tenant,
    body: z
      .strictObject({ providers: TenantProviders.shape.providers })
      .meta({ id: 'PutTenantProviders' }),
    example: { params: { tenant: 'ward-3' }, body: { providers: ['local'] } },
  },
  removeTenantProviders: {
    ...removal,
    path: '/api/v1/language/tenants/{tenant}',
    summary: 'Let a tenant use all providers again.',
    params: Tenant,
    example: { params: { tenant: 'ward-3' } },
  },
  putRedaction: {
    ...declaration,
    path: '/api/v1/language/redactions/{name}',
    summary: 'Replace what matches a pattern, in prompts, in answers or in both.',
    params: RedactionName,
    body: RedactionDeclaration,
    example: { params: { name: 'email' }, body: { kind: 'email', of: 'prompts' } },
  },
  removeRedaction: {
    ...removal,
    path: '/api/v1/language/redactions/{name}',
    summary: 'Remove a redaction.',
    params: RedactionName,
    example: { params: { name: 'email' } },
  },
  putStoredResponses: {
    ...declaration,
    path: '/api/v1/language/responses',
    summary: 'Store answers of `/v1/responses`, within these bounds of each key.',
    description:
      'A request is then stored with its answer unless it has `store: false`, redacted as a provider gets it. Only the key that has asked can read, continue or remove it.',
    body: StoredResponsesDeclaration,
    example: { body: { count: 1000, bytes: 16_777_216, ageMs: 2_592_000_000 } },
  },
  removeStoredResponses: {
    ...removal,
    path: '/api/v1/language/responses',
    summary: 'Stop storing answers, and remove all stored ones.',
  },
} as const satisfies Record<string, NodeEndpoint>;
