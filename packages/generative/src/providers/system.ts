/**
 * A provider's name in OpenTelemetry's conventions for generative AI
 * (`gen_ai.provider.name`): the system whose form it speaks, as far as its declaration shows. The name
 * that the operator gave it is another attribute.
 */
import type { LanguageProvider } from '@skein/api';

/** Systems with OpenAI's form and a well-known name of their own, by the end of their hosts. */
const BY_HOST: Readonly<Record<string, string>> = {
  'openai.azure.com': 'azure.ai.openai',
  'inference.ai.azure.com': 'azure.ai.inference',
  'api.anthropic.com': 'anthropic',
  'api.cohere.ai': 'cohere',
  'api.cohere.com': 'cohere',
  'api.deepseek.com': 'deepseek',
  'generativelanguage.googleapis.com': 'gcp.gemini',
  'aiplatform.googleapis.com': 'gcp.vertex_ai',
  'api.groq.com': 'groq',
  'api.mistral.ai': 'mistral_ai',
  'api.perplexity.ai': 'perplexity',
  'api.x.ai': 'x_ai',
};
const BY_KIND: Readonly<Partial<Record<LanguageProvider['kind'], string>>> = {
  gemini: 'gcp.gemini',
  vertex: 'gcp.vertex_ai',
  openai: 'openai',
};

/** The system of a model; `skein` for a model of this node or another one, and without a provider. */
export function systemOf(provider: Pick<LanguageProvider, 'kind' | 'baseUrl'> | undefined): string {
  if (provider === undefined) return 'skein';
  const { kind, baseUrl } = provider;
  const own = BY_KIND[kind] ?? 'skein';
  if (kind !== 'openai' || baseUrl === undefined) return own;
  const { hostname } = new URL(baseUrl);
  const known = Object.keys(BY_HOST).find(
    // Vertex AI has its locations before a hyphen.
    (end) => hostname === end || hostname.endsWith(`.${end}`) || hostname.endsWith(`-${end}`),
  );
  return known === undefined ? own : BY_HOST[known]!;
}
