/** `skein provider`: where language models run, and which tenant's data may go there. */
import { resolve } from 'node:path';
import { PROVIDER_NAMES } from '@skein/api/implementations';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, choice, duration, integer, text } from '../../command-line/option.ts';
import { breakerText } from '../../output/breaker.ts';
import { renderTable } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';

export const providerPut = nodeCommand({
  name: 'provider put',
  summary: 'Declare a provider of language models, or replace its declaration.',
  details:
    'The key is never sent to the node and never stored: the node itself reads it at the place of --key-env, --key-file or --key-secret. The declaration is refused when it cannot. After a change of the key, declare the provider again, even unchanged: the node reads the new key and asks the provider at once. That also clears a spent quota.',
  examples: {
    'skein provider put google --kind gemini --key-env GEMINI_API_KEY':
      'Gemini, with the key in an environment variable of the node',
    'skein provider put own --kind openai --url http://10.0.0.9:8000/v1':
      'Any server that speaks the API of OpenAI',
    'skein provider put local --kind onnx --path ./tiny': 'A model in a folder',
  },
  arguments: { name: argument('NAME', 'The provider, as models name it.') },
  options: {
    kind: choice(PROVIDER_NAMES, 'Protocol of a remote provider, or form of a local model.'),
    url: text('URL', 'Address; default: the kind’s.'),
    path: text('PATH', 'File or folder of a local model, on the node.', { completes: 'file' }),
    keyEnv: text('NAME', 'Environment variable of the node with the key.'),
    keyFile: text('PATH', 'File on the node with the key; an absolute path.'),
    keySecret: text('NAME', 'Secret in Google Secret Manager: projects/P/secrets/S.'),
    project: text('NAME', 'Project on Google Cloud, of Vertex AI.'),
    location: text('NAME', 'Location of Vertex AI; default global.'),
    maxAtOnce: integer('N', 'Requests in flight; default 64.', [1, 100_000]),
    continuation: choice(
      ['prefill', 'vllm'],
      'Way in which an upstream continues an answer that was cut; default: none.',
    ),
    connectTimeout: duration('Longest wait for a connection; default 2s.'),
  },
  async run({ client }, { kind, url, path, keyEnv, keyFile, keySecret, ...rest }, { cwd }) {
    const { maxAtOnce, connectTimeout, ...given } = rest;
    if (kind === undefined)
      throw usageError(`--kind is missing: one of ${PROVIDER_NAMES.join(', ')}.`);
    await client.putProvider({
      ...given,
      kind,
      baseUrl: url,
      // The node has another working directory, and yet another one after a restart.
      path: path === undefined ? undefined : resolve(cwd, path),
      apiKey: referenceOf({ env: keyEnv, file: keyFile, gcp: keySecret }),
      maxConcurrent: maxAtOnce,
      connectMs: connectTimeout,
    });
    return { name: given.name, kind };
  },
  render: ({ name, kind }, style) =>
    `${style.green('✓')} ${style.bold(name)} is a provider of kind ${kind}. Give it a model: skein model put NAME --route ${name}=MODEL`,
});

/** @throws SkeinError USAGE for more than one. */
function referenceOf(places: Readonly<Record<string, string | undefined>>): string | undefined {
  const [first, second] = Object.entries(places).filter(([, place]) => place !== undefined);
  if (second !== undefined) {
    throw usageError('Give one of --key-env, --key-file and --key-secret.');
  }
  return first === undefined ? undefined : `${first[0]}:${first[1]}`;
}

export const providerLs = nodeCommand({
  name: 'provider ls',
  summary: 'List the providers of language models with their status.',
  examples: { 'skein provider ls': 'Which of them work, and which are away' },
  run: ({ client }) => client.getLanguageModels(),
  render({ settings, models, problem }, style) {
    if (settings.providers.length === 0) {
      return style.commands(
        'No provider is declared. Begin with: skein provider put NAME --kind gemini --key-env NAME',
      );
    }
    const routes = models.flatMap((model) => model.routes);
    const table = renderTable(style, settings.providers, [
      ['PROVIDER', ({ name }) => style.bold(name)],
      ['KIND', ({ kind }) => kind],
      ['AT', ({ baseUrl, path }) => baseUrl ?? path ?? ''],
      ['KEY', ({ apiKey }) => apiKey ?? ''],
      [
        'RUNNING',
        ({ name }) =>
          String(
            Math.max(
              0,
              ...routes.filter((each) => each.provider === name).map(({ running }) => running),
            ),
          ),
        'right',
      ],
      [
        'STATE',
        ({ name }) => {
          const state = breakerText(routes.filter((each) => each.provider === name));
          return state === 'open' ? state : style.yellow(state);
        },
      ],
      [
        'TENANTS WITHOUT IT',
        ({ name }) =>
          settings.allow
            .filter(({ providers }) => !providers.includes(name))
            .map(({ tenant }) => tenant)
            .join(','),
      ],
    ]);
    return problem === undefined ? table : `${table}\n\n${style.yellow('!')} ${problem}`;
  },
});

export const providerRm = nodeCommand({
  name: 'provider rm',
  summary: 'Remove a provider that no model names.',
  examples: { 'skein provider rm own': 'Its requests in flight still end' },
  arguments: { name: argument('NAME', 'The provider.') },
  async run({ client }, { name }) {
    await client.removeProvider({ name });
    return { removed: name };
  },
  render: ({ removed }) => `${removed} is removed.`,
});

export const providerAllow = nodeCommand({
  name: 'provider allow',
  summary: 'Set the providers to which the data of a tenant may go.',
  details:
    'A tenant without a list may use every provider. `none` lets it use none, `all` removes its list.',
  examples: {
    'skein provider allow ward-3 local': 'Its data never leave this node',
    'skein provider allow ward-3 all': 'No restriction any more',
  },
  arguments: {
    tenant: argument('TENANT', 'The tenant.'),
    providers: argument('NAMES', 'Providers with commas between them, `none` or `all`.'),
  },
  async run({ client }, { tenant, providers }) {
    if (providers === 'all') {
      await client.removeTenantProviders({ tenant });
      return { tenant, providers: undefined };
    }
    const names = providers === 'none' ? [] : providers.split(',').map((name) => name.trim());
    await client.putTenantProviders({ tenant, providers: names });
    return { tenant, providers: names };
  },
  render({ tenant, providers }, style) {
    if (providers === undefined) return `${style.bold(tenant)} may use every provider.`;
    const which = providers.length === 0 ? 'no provider' : providers.join(', ');
    return `The data of ${style.bold(tenant)} may go to ${which}.`;
  },
});
