/** `skein model`: language models by their routes to providers. */
import { defined } from '@skein/api/defined';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, choice, duration, flag, integer, many } from '../../command-line/option.ts';
import { languageRolloutLine } from '../../output/language-rollout.ts';
import { renderTable } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';
import { renderBudgets } from './budget.ts';

const POLICIES = ['order', 'weighted', 'cost', 'quality', 'ttft'] as const;

export const modelPut = nodeCommand({
  name: 'model put',
  summary: 'Declare a language model by its routes to providers, or replace it.',
  details:
    'The node asks each provider whether it has the model, and warns where it has not. A route is PROVIDER=MODEL, then weight=, quality=, and prices in US dollars per million tokens: input=, output=, cached=, with commas between them. Routes are tried in their order until one has sent its first token; --policy changes the order.',
  examples: {
    'skein model put assistant --route google=gemini-2.5-flash,input=0.3,output=2.5 --route local=tiny':
      'Gemini, and a local model while it is away',
    'skein model put fast --route own=qwen --ttft 300ms --policy ttft':
      'Refused at once when the first token would come later',
  },
  arguments: { name: argument('NAME', 'The model, as requests name it.') },
  options: {
    route: many('ROUTE', 'Route: PROVIDER=MODEL[,weight=N,input=$,output=$ …]; once per route.'),
    policy: choice(POLICIES, 'Choice of the route that is tried first; default order.'),
    ttft: duration('Objective of the time to the first token; default 500ms.', [1, 600_000]),
    deadline: duration('Latest first token; default four times the objective.', [1, 3_600_000]),
    gap: duration('Longest wait between two tokens; default 10s.', [1, 600_000]),
    context: integer('TOKENS', 'Length of prompt and answer together.', [1, 1e9]),
    maxTokens: integer(
      'TOKENS',
      'Longest answer where the request names no limit; default 4096.',
      [1, 1e7],
    ),
    tenant: many('NAME', 'Tenant that may use it; default all.'),
    noHedge: flag('Never ask a second route while the first one is slow.'),
    noCache: flag('Never repeat the answer of an equal, deterministic request.'),
  },
  async run({ client }, { name, route, policy, ttft, deadline, gap, maxTokens, tenant, ...rest }) {
    const { context: contextTokens, noHedge, noCache } = rest;
    if (route.length === 0) throw usageError('A model needs a --route PROVIDER=MODEL.');
    const routes = route.map(routeOf);
    await client.putLanguageModel({
      name,
      routes,
      hedge: !noHedge,
      cache: !noCache,
      policy,
      ttftMs: ttft,
      deadlineMs: deadline,
      gapMs: gap,
      contextTokens,
      maxOutputTokens: maxTokens,
      tenants: tenant.length === 0 ? undefined : [...tenant],
    });
    const { routes: checked } = await client.checkLanguageModel({ name });
    return { name, routes, problems: checked.flatMap(({ problem }) => problem ?? []) };
  },
  render: ({ name, routes, problems }, style) =>
    [
      `${style.green('✓')} ${style.bold(name)} is a model: ${routes.map(({ provider, model }) => `${model} at ${provider}`).join(', then ')}.`,
      ...problems.map(
        ({ code, message, fix }) =>
          `${style.yellow('!')} ${code}: ${message} ${style.dim(style.commands(fix))}`,
      ),
    ].join('\n'),
});

const NUMBERS = ['weight', 'quality', 'input', 'output', 'cached'] as const;

/** @throws SkeinError USAGE. */
export function routeOf(text: string) {
  const [target = '', ...fields] = text.split(',');
  const [, provider, model] = /^([^=]+)=(.+)$/.exec(target) ?? [];
  if (provider === undefined || model === undefined) {
    throw usageError(`--route: "${text}" does not begin with PROVIDER=MODEL.`);
  }
  const numbers: Partial<Record<(typeof NUMBERS)[number], number>> = {};
  for (const field of fields) {
    const [key = '', value = ''] = field.split('=');
    const name = NUMBERS.find((known) => known === key.trim());
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (name === undefined || !(number >= 0)) {
      throw usageError(
        `--route: "${field}" is not a number from 0 on under ${NUMBERS.join(', ')}.`,
      );
    }
    numbers[name] = number;
  }
  const { input, output, cached, weight, quality } = numbers;
  const isPriced = input !== undefined || output !== undefined || cached !== undefined;
  const price = { input: input ?? 0, output: output ?? 0, ...defined({ cachedInput: cached }) };
  return {
    provider,
    model,
    ...defined({ weight, quality, price: isPriced ? price : undefined }),
  };
}

export const modelLs = nodeCommand({
  name: 'model ls',
  summary: 'List the language models with their first-token times, tokens and cost.',
  details: 'Times, tokens and cost count on this node since its start.',
  examples: { 'skein model ls': 'A line for each model and provider' },
  run: ({ client }) => client.getLanguageModels(),
  render({ settings, use, budgets, rollouts }, style) {
    if (settings.models.length === 0) {
      return style.commands(
        'No language model is declared. Begin with: skein model put NAME --route PROVIDER=MODEL',
      );
    }
    const usedOf = (name: string, from: string) =>
      use.find(({ model, provider }) => model === name && provider === from);
    const rows = settings.models.flatMap(({ name, routes, ttftMs }) => {
      // Use is counted by provider: a line for each route would show it twice.
      const providers = [...new Set(routes.map(({ provider }) => provider))];
      const ofRoutes = providers.map((from) => {
        const used = usedOf(name, from);
        const { requests = 0, failed = 0 } = used ?? {};
        const route = routes
          .filter(({ provider }) => provider === from)
          .map(({ provider, model }) => `${provider}=${model}`)
          .join(', ');
        return { name, ttftMs, route, used, requests, failed };
      });
      const unanswered = usedOf(name, '');
      const failed = unanswered?.failed ?? 0;
      if (failed === 0) return ofRoutes;
      const route = 'no route has answered';
      // Its times belong to answers from the cache.
      const used = unanswered && { ...unanswered, ttftMs: undefined };
      return [...ofRoutes, { name, ttftMs, route, used, requests: failed, failed }];
    });
    const models = renderTable(style, rows, [
      ['MODEL', ({ name }) => style.bold(name)],
      ['ROUTE', ({ route }) => route],
      ['OBJECTIVE', ({ ttftMs }) => `${ttftMs} ms`, 'right'],
      [
        'TTFT P99',
        ({ used }) => (used?.ttftMs === undefined ? '' : `≤ ${used.ttftMs.p99} ms`),
        'right',
      ],
      ['REQUESTS', ({ requests }) => String(requests), 'right'],
      ['FAILED', ({ failed }) => String(failed), 'right'],
      ['TOKENS IN', ({ used }) => String(used?.inputTokens ?? 0), 'right'],
      ['OUT', ({ used }) => String(used?.outputTokens ?? 0), 'right'],
      ['COST', ({ used }) => `$${(used?.costUsd ?? 0).toFixed(4)}`, 'right'],
    ]);
    const moving = rollouts.map(
      (each) => `${style.bold(each.model)}: ${languageRolloutLine(each, style)}`,
    );
    const shown = [models, ...moving].join('\n\n');
    return budgets.length === 0 ? shown : `${shown}\n\n${renderBudgets(budgets, style)}`;
  },
});

export const modelRm = nodeCommand({
  name: 'model rm',
  summary: 'Remove a language model; its providers stay.',
  examples: { 'skein model rm assistant': 'Its requests in flight still end' },
  arguments: { name: argument('NAME', 'The model.') },
  async run({ client }, { name }) {
    await client.removeLanguageModel({ name });
    return { removed: name };
  },
  render: ({ removed }) => `${removed} is removed.`,
});
