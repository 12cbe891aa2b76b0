/** How an operator declares language models: providers, models, budgets. Money is in US dollars. */
import { z } from 'zod';
import { PROVIDER_NAMES, REDACTION_KINDS } from '../implementations.ts';
import { Name } from './deployment.ts';

export const SecretReference = z
  .string()
  .regex(
    /^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+|gcp:projects\/[^/]+\/secrets\/[^/]+(\/versions\/[^/]+)?)$/,
    'must be env:NAME, file:/PATH or gcp:projects/P/secrets/S[/versions/V]',
  )
  .describe('Where the secret is; the state never holds the secret itself.');

export const LanguageProvider = z
  .strictObject({
    name: Name,
    kind: z.enum(PROVIDER_NAMES),
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .describe('Address of the API. Default: the kind’s.')
      .optional(),
    apiKey: SecretReference.optional(),
    path: z.string().describe('File or folder of a local model.').optional(),
    project: z.string().describe('Project on Google Cloud, for Vertex AI.').optional(),
    location: z.string().describe('Location of Vertex AI.').optional(),
    headers: z
      .record(z.string(), z.string())
      .describe('Headers of each request. Only keys with the scope `admin` can read their values.')
      .optional(),
    continuation: z
      .enum(['prefill', 'vllm'])
      .describe(
        'Way in which an upstream of OpenAI’s or Gemini’s form continues an answer. `prefill`: by a last message of the assistant; `vllm`: by `continue_final_message`. Default: none.',
      )
      .optional(),
    maxConcurrent: z
      .int()
      .min(1)
      .max(100_000)
      .describe('Most requests in flight; further ones wait while the objective allows it.')
      .default(64),
    connectMs: z.int().positive().describe('Longest wait for a connection.').default(2000),
  })
  .meta({ id: 'LanguageProvider' });
export type LanguageProvider = z.infer<typeof LanguageProvider>;

/** US dollars for a million tokens. */
export const TokenPrice = z
  .strictObject({
    input: z.number().min(0),
    output: z.number().min(0),
    cachedInput: z
      .number()
      .min(0)
      .describe(
        'Price of tokens from the provider’s prompt cache; at most `input`, which is the default.',
      )
      .optional(),
  })
  // The greatest cost of a request is reserved at the price of `input`.
  .refine(({ input, cachedInput = input }) => cachedInput <= input, {
    path: ['cachedInput'],
    message: 'must be at most the price of other input tokens',
  });
export type TokenPrice = z.infer<typeof TokenPrice>;

export const LanguageRoute = z.strictObject({
  provider: Name,
  model: z.string().min(1).max(256).describe('The name of the model at the provider.'),
  weight: z.number().min(0).max(1e6).default(1),
  quality: z
    .number()
    .min(0)
    .max(100)
    .describe('Tier of the answers; a larger one is better.')
    .default(0),
  price: TokenPrice.describe('Price of tokens. Default: free.').optional(),
});
export type LanguageRoute = z.infer<typeof LanguageRoute>;

export const LanguageModel = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/)
      .describe('The name in requests.'),
    routes: z.array(LanguageRoute).min(1).max(32),
    policy: z
      .enum(['order', 'weighted', 'cost', 'quality', 'ttft'])
      .describe(
        'Choice of the route that is tried first: as listed, by weight, the cheapest, the best, or the one with the earliest predicted first token.',
      )
      .default('order'),
    ttftMs: z
      .number()
      .positive()
      .max(600_000)
      .describe('Objective of the time to the first token.')
      .default(500),
    deadlineMs: z
      .number()
      .positive()
      .max(3_600_000)
      .describe(
        'Time after which a request without a first token fails. Default: four times the objective.',
      )
      .optional(),
    gapMs: z
      .number()
      .positive()
      .max(600_000)
      .describe('Longest wait between two tokens.')
      .default(10_000),
    totalMs: z
      .number()
      .positive()
      .max(86_400_000)
      .describe('Longest answer that is not streamed, from its first byte.')
      .default(600_000),
    contextTokens: z
      .int()
      .positive()
      .describe('Most tokens of prompt and answer together.')
      .optional(),
    maxOutputTokens: z
      .int()
      .positive()
      .describe('Most tokens of an answer whose request names no limit; budgets reserve its cost.')
      .default(4096),
    hedge: z
      .boolean()
      .describe(
        'Asks a second route when the first is slower than its p95, for at most 5 % of the requests.',
      )
      .default(true),
    cache: z
      .boolean()
      .describe('Repeats the answers of deterministic requests: temperature 0, or a seed.')
      .default(true),
    tenants: z
      .array(z.string())
      .describe('Tenants that may use the model. Default: all.')
      .optional(),
  })
  .meta({ id: 'LanguageModel' });
export type LanguageModel = z.infer<typeof LanguageModel>;

export const LanguageBudget = z
  .strictObject({
    subject: z
      .string()
      .regex(/^(all|operator|tenant:.+|key:.+)$/, 'must be all, operator, tenant:NAME or key:ID')
      .describe(
        'Callers whose use counts. `operator`: requests that the node itself sends, such as the copies of a shadow.',
      ),
    period: z
      .enum(['minute', 'day', 'month'])
      .describe('Period of the budget; a day begins at midnight UTC.')
      .default('day'),
    usd: z.number().min(0).optional(),
    tokens: z.int().min(0).optional(),
  })
  .refine(({ usd, tokens }) => usd !== undefined || tokens !== undefined, 'needs usd or tokens')
  .meta({ id: 'LanguageBudget' });
export type LanguageBudget = z.infer<typeof LanguageBudget>;

/** Providers to which the data of a tenant may go. */
export const TenantProviders = z.strictObject({
  tenant: z.string().min(1),
  providers: z.array(Name).describe('Names of the providers; an empty list allows none.'),
});

/** All patterns are searched for side by side. */
export const MAX_REDACTIONS = 64;

const redaction = {
  kind: z
    .enum(REDACTION_KINDS)
    .describe(
      'A pattern of the node: addresses of e-mail, numbers of payment cards and bank accounts, addresses of IPv4, keys of APIs.',
    )
    .optional(),
  pattern: z
    .string()
    .min(1)
    .max(1000)
    .describe(
      'A regular expression without look-around, back-references, anchors and lazy repetitions. A match has 1,024 characters at most, and the longest is taken.',
    )
    .optional(),
  ignoreCase: z.boolean().default(false),
  replacement: z
    .string()
    .max(64)
    .regex(/^[^"\\\p{Cc}]*$/u, 'must not have quotes, backslashes or control characters')
    .describe('Text in the place of each match. Default: the name in brackets.')
    .optional(),
  of: z
    .enum(['prompts', 'answers', 'both'])
    .describe(
      'Texts to search: prompts before a provider receives them, answers before the caller does.',
    )
    .default('both'),
  models: z
    .array(z.string())
    .min(1)
    .describe('Models whose texts are searched. Default: all.')
    .optional(),
  tenants: z
    .array(z.string())
    .min(1)
    .describe('Tenants whose texts are searched. Default: all.')
    .optional(),
};
const hasOneOf = ({ kind, pattern }: { kind?: unknown; pattern?: unknown }): boolean =>
  (kind === undefined) !== (pattern === undefined);

/** A pattern that is replaced in prompts and answers. */
export const Redaction = z
  .strictObject({ name: Name, ...redaction })
  .refine(hasOneOf, 'needs a kind or a pattern')
  .meta({ id: 'Redaction' });
export type Redaction = z.infer<typeof Redaction>;
/** The name is in the path. */
export const RedactionDeclaration = z
  .strictObject(redaction)
  .refine(hasOneOf, 'needs a kind or a pattern')
  .meta({ id: 'RedactionDeclaration' });

/** Answers of `/v1/responses` that their callers may read again and continue. */
export const StoredResponsesPolicy = z
  .strictObject({
    count: z
      .int()
      .min(1)
      .max(100_000)
      .describe('Most responses of one key, or of one tenant without keys.')
      .default(1000),
    bytes: z
      .int()
      .min(1024)
      .max(2 ** 30)
      .describe('Most bytes of the responses of one key. A new one displaces the oldest.')
      .default(16 * 2 ** 20),
    ageMs: z
      .int()
      .min(1000)
      .max(366 * 86_400_000)
      .describe('Age at which a response is removed.')
      .default(30 * 86_400_000),
  })
  .meta({ id: 'StoredResponsesPolicy' });
export type StoredResponsesPolicy = z.infer<typeof StoredResponsesPolicy>;
export const StoredResponsesDeclaration = z
  .strictObject(StoredResponsesPolicy.shape)
  .meta({ id: 'StoredResponsesDeclaration' });

export const LanguageSettings = z
  .strictObject({
    providers: z.array(LanguageProvider).max(256).default([]),
    models: z.array(LanguageModel).max(1024).default([]),
    budgets: z.array(LanguageBudget).max(4096).default([]),
    allow: z
      .array(TenantProviders)
      .describe('Providers of each listed tenant; another tenant may use all.')
      .default([]),
    redactions: z.array(Redaction).max(MAX_REDACTIONS).default([]),
    responses: StoredResponsesPolicy.describe(
      'Bounds of stored answers of `/v1/responses`; absent: none is stored.',
    ).optional(),
  })
  .meta({ id: 'LanguageSettings' });
export type LanguageSettings = z.infer<typeof LanguageSettings>;
export type LanguageSettingsInput = z.input<typeof LanguageSettings>;
