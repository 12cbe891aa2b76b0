/**
 * An operator's declarations of language models, as records of the state: a record per provider,
 * model, budget, tenant and redaction, and one for stored responses. A change is checked together with all others before it is written, so
 * that what is stored can always be opened.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import {
  type ErrorCode,
  type LanguageBudget,
  type LanguageModel,
  type LanguageProvider,
  LanguageSettings,
  MAX_REDACTIONS,
  type Redaction,
  SkeinError,
  type StoredResponsesPolicy,
} from '@skein/api';
import type { DeclarationRecord, State } from '@skein/state';

const KINDS = {
  provider: 'language-provider',
  model: 'language-model',
  budget: 'language-budget',
  tenant: 'language-tenant',
  redaction: 'language-redaction',
  responses: 'language-responses',
} as const;
type Kind = keyof typeof KINDS;
/** There is one declaration of them. */
const RESPONSES = 'responses';

export type DeclarationState = Pick<State, 'declarations' | 'putDeclaration' | 'removeDeclaration'>;

/** @throws SkeinError PROVIDER_INVALID for records that this version of Skein cannot read. */
export function settingsOf(records: readonly DeclarationRecord[]): LanguageSettings {
  const of = (kind: Kind): unknown[] =>
    records.filter((record) => record.kind === KINDS[kind]).map(({ value }) => value);
  const settings = LanguageSettings.safeParse({
    providers: of('provider'),
    models: of('model'),
    budgets: of('budget'),
    allow: of('tenant'),
    redactions: of('redaction'),
    responses: of('responses')[0],
  });
  if (settings.success) return settings.data;
  const [issue] = settings.error.issues;
  const message = `The stored declarations cannot be read: ${issue?.path.join('.')} ${issue?.message}.`;
  throw new SkeinError('PROVIDER_INVALID', message);
}

/** When each provider was declared last: ISO 8601, in UTC. */
export function providersDeclaredAt(
  records: readonly DeclarationRecord[],
): ReadonlyMap<string, string> {
  return new Map(
    records
      .filter(({ kind }) => kind === KINDS.provider)
      .map(({ name, updatedAt }) => [name, updatedAt]),
  );
}

/** @throws SkeinError PROVIDER_INVALID for parts of an address that no request would have. */
function refuseLostParts({ baseUrl }: LanguageProvider): void {
  if (baseUrl === undefined) return;
  const { username, password, search, hash } = new URL(baseUrl);
  if (username + password !== '')
    throw new SkeinError(
      'PROVIDER_INVALID',
      'The address of the provider holds a user or a password; name the place of its key instead.',
    );
  if (search + hash !== '')
    throw new SkeinError(
      'PROVIDER_INVALID',
      `The address of the provider ends with "${search}${hash}", which is not sent.`,
    );
}

/** Headers that a request has of its own, or that control its connection. */
const OWN_HEADERS = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @throws SkeinError PROVIDER_INVALID for headers that no request can have: each one would fail. */
function refuseWrongHeaders({ headers = {} }: LanguageProvider): void {
  for (const [name, value] of Object.entries(headers)) {
    const shown = JSON.stringify(name.slice(0, 100));
    const refuse = (text: string): never => {
      throw new SkeinError('PROVIDER_INVALID', `The header ${shown} of the provider ${text}`);
    };
    if (OWN_HEADERS.has(name.toLowerCase())) refuse('is one that the node sets itself.');
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      refuse('has a character that no header has.');
    }
  }
}

export function declarationsIn(state: DeclarationState) {
  const settings = async (): Promise<LanguageSettings> => settingsOf(await state.declarations());

  async function put(kind: Kind, name: string, value: object): Promise<void> {
    // A copy without the fields that are undefined, which JSON does not have.
    const plain = JSON.parse(JSON.stringify(value)) as DeclarationRecord['value'];
    const updatedAt = new Date().toISOString();
    await state.putDeclaration({ kind: KINDS[kind], name, value: plain, updatedAt });
  }
  async function remove(kind: Kind, name: string, code: ErrorCode, what: string): Promise<void> {
    if (await state.removeDeclaration(KINDS[kind], name)) return;
    throw new SkeinError(code, `No ${what} "${name.slice(0, 200)}" is declared.`);
  }
  /** @throws SkeinError PROVIDER_INVALID when one of them is not declared. */
  async function requireProviders(names: readonly string[]): Promise<void> {
    const declared = new Set((await settings()).providers.map(({ name }) => name));
    const missing = names.find((name) => !declared.has(name));
    if (missing === undefined) return;
    throw new SkeinError('PROVIDER_INVALID', `No provider "${missing}" is declared.`);
  }

  return {
    settings,
    requireProviders,
    async putProvider(provider: LanguageProvider) {
      refuseLostParts(provider);
      refuseWrongHeaders(provider);
      await put('provider', provider.name, provider);
    },
    async putModel(model: LanguageModel) {
      await requireProviders(model.routes.map(({ provider }) => provider));
      await put('model', model.name, model);
    },
    putBudget: (budget: LanguageBudget) =>
      put('budget', `${budget.subject}/${budget.period}`, budget),
    async putTenant(tenant: string, providers: readonly string[]) {
      await requireProviders(providers);
      await put('tenant', tenant, { tenant, providers });
    },
    async removeProvider(name: string) {
      const { models } = await settings();
      const user = models.find(({ routes }) => routes.some(({ provider }) => provider === name));
      if (user !== undefined) {
        const message = `Provider "${name}" is a route of the model "${user.name}".`;
        throw new SkeinError('PROVIDER_INVALID', message);
      }
      await remove('provider', name, 'PROVIDER_INVALID', 'provider');
    },
    removeModel: (name: string) => remove('model', name, 'MODEL_UNKNOWN', 'language model'),
    removeBudget: (subject: string, period: string) =>
      remove('budget', `${subject}/${period}`, 'PROVIDER_INVALID', 'budget'),
    removeTenant: (tenant: string) =>
      remove('tenant', tenant, 'PROVIDER_INVALID', 'list of the tenant'),
    async putRedaction(redaction: Redaction) {
      const { redactions } = await settings();
      const isNew = redactions.every(({ name }) => name !== redaction.name);
      if (isNew && redactions.length >= MAX_REDACTIONS) {
        const text = `There are ${MAX_REDACTIONS} redactions already, and each text is searched for all.`;
        throw new SkeinError('PROVIDER_INVALID', text);
      }
      await put('redaction', redaction.name, redaction);
    },
    removeRedaction: (name: string) => remove('redaction', name, 'PROVIDER_INVALID', 'redaction'),
    putResponses: (policy: StoredResponsesPolicy) => put('responses', RESPONSES, policy),
    removeResponses: () => remove('responses', RESPONSES, 'PROVIDER_INVALID', 'storage of'),
  };
}

export type Declarations = ReturnType<typeof declarationsIn>;
