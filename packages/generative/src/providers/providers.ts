/** The kinds of providers: a line each. What runs models on this machine is loaded when it is needed. */
import { createHash } from 'node:crypto';
import type { LanguageProvider } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { Provider } from '../contract.ts';
import type { ProviderFactory } from '../gateway-options.ts';
import { geminiProvider } from './gemini/provider.ts';
import { openAiProvider } from './openai/provider.ts';
import { readSecret, vertexCredentials } from './secrets.ts';

const OPENAI = 'https://api.openai.com/v1';
const GEMINI = 'https://generativelanguage.googleapis.com';

const local: ProviderFactory = async (settings) =>
  (await import('../local/kinds.ts')).openLocal(settings);

export const PROVIDERS = {
  onnx: local,
  gguf: local,
  openai: async (settings, apiKey) =>
    openAiProvider({
      ...common(settings, OPENAI),
      apiKey,
      continuation: settings.continuation,
    }),
  /**
   * Another node, over its OpenAI face. It gets the rest of the deadline, so that its own admission
   * decides; its refusals carry the time to wait.
   */
  skein: async (settings, apiKey) =>
    openAiProvider({
      ...common(settings, required(settings, 'baseUrl')),
      apiKey,
      continuation: 'skein',
      headersOf: ({ deadline }) => ({
        'skein-timeout-ms': String(Math.max(1, Math.floor(deadline - performance.now()))),
      }),
    }),
  gemini: async (settings, apiKey) => {
    const headers = apiKey === undefined ? {} : { 'x-goog-api-key': apiKey };
    return geminiProvider({
      ...common(settings, GEMINI),
      modelsPath: '/v1beta/models',
      continues: continuesOf(settings),
      credentials: async () => headers,
    });
  },
  vertex: async (settings) => {
    const project = encodeURIComponent(required(settings, 'project'));
    const { location = 'global' } = settings;
    const host = location === 'global' ? '' : `${encodeURIComponent(location)}-`;
    return geminiProvider({
      ...common(settings, `https://${host}aiplatform.googleapis.com`),
      modelsPath: `/v1/projects/${project}/locations/${encodeURIComponent(location)}/publishers/google/models`,
      continues: continuesOf(settings),
      onVertex: true,
      credentials: await vertexCredentials(settings.name),
    });
  },
} as const satisfies Readonly<Record<string, ProviderFactory>>;

const OF_A_KIND = [
  'baseUrl',
  'apiKey',
  'path',
  'project',
  'location',
  'headers',
  'continuation',
] as const;
type FieldOfAKind = (typeof OF_A_KIND)[number];

/** Which of them a kind takes. */
const TAKEN: Readonly<Record<keyof typeof PROVIDERS, readonly FieldOfAKind[]>> = {
  onnx: ['path'],
  gguf: ['path'],
  openai: ['baseUrl', 'apiKey', 'headers', 'continuation'],
  skein: ['baseUrl', 'apiKey', 'headers'],
  gemini: ['baseUrl', 'apiKey', 'headers', 'continuation'],
  vertex: ['baseUrl', 'project', 'location', 'headers', 'continuation'],
};

/**
 * A field that a kind ignores may be meant for another one: a local model under the kind `openai` would
 * send every prompt to OpenAI.
 *
 * @throws SkeinError PROVIDER_INVALID.
 */
function refuseIgnored(settings: LanguageProvider): void {
  const taken = TAKEN[settings.kind];
  const ignored = OF_A_KIND.find(
    (field) => settings[field] !== undefined && !taken.includes(field),
  );
  if (ignored === undefined) return;
  throw new SkeinError(
    'PROVIDER_INVALID',
    `Provider ${settings.name} of kind ${settings.kind} takes no ${ignored}.`,
  );
}

/**
 * Names an upstream and the credential for it, which the name does not contain: providers of two names
 * may be one backend, and nodes with other keys have others.
 */
function backendOf(settings: LanguageProvider, secret: string | undefined): string {
  const { kind, baseUrl, path, project, location, headers } = settings;
  const parts = [kind, baseUrl?.replace(/\/+$/, ''), path, project, location, headers, secret];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** @throws SkeinError PROVIDER_INVALID. */
export async function openProvider(
  settings: LanguageProvider,
  factories: Readonly<Record<string, ProviderFactory>> = PROVIDERS,
): Promise<{ readonly provider: Provider; readonly backend: string }> {
  const open = Object.hasOwn(factories, settings.kind) ? factories[settings.kind] : undefined;
  if (open === undefined) {
    throw new SkeinError(
      'PROVIDER_INVALID',
      `Providers of the kind ${settings.kind} cannot be opened here.`,
    );
  }
  if (open === PROVIDERS[settings.kind]) refuseIgnored(settings);
  const { apiKey } = settings;
  const secret = apiKey === undefined ? undefined : await readSecret(apiKey);
  return { provider: await open(settings, secret), backend: backendOf(settings, secret) };
}

/** @throws SkeinError PROVIDER_INVALID. */
function continuesOf({ name, kind, continuation }: LanguageProvider): boolean {
  if (continuation !== 'vllm') return continuation === 'prefill';
  throw new SkeinError(
    'PROVIDER_INVALID',
    `Provider ${name} of kind ${kind} continues an answer by prefill, not by vllm.`,
  );
}

function common({ name, baseUrl, headers, connectMs }: LanguageProvider, otherwise: string) {
  return { name, baseUrl: baseUrl ?? otherwise, headers, connectMs };
}

function required(settings: LanguageProvider, field: 'baseUrl' | 'project'): string {
  const value = settings[field];
  if (value !== undefined) return value;
  throw new SkeinError(
    'PROVIDER_INVALID',
    `Provider ${settings.name} of kind ${settings.kind} needs ${field}.`,
  );
}
