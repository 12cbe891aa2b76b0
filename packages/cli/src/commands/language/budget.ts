/** `skein budget`: what may be spent on language models. */
import type { LanguageView } from '@skein/api';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, choice, decimal, integer, withDefault } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import type { Style } from '../../output/style.ts';
import { renderTable } from '../../output/table.ts';

const period = withDefault(
  choice(['minute', 'day', 'month'], 'Period of the budget; a day begins at midnight UTC.'),
  'day',
);
const subject = argument('SUBJECT', 'all, operator, tenant:NAME or key:ID.');

export const budgetPut = nodeCommand({
  name: 'budget put',
  summary: 'Bound the spending of all, a tenant or a key on language models.',
  details:
    'The worst case of a request is reserved before it is sent and settled after it, so concurrent requests cannot exceed a budget together. In a fleet it holds over all nodes. `operator` is what the node sends of its own accord: the copies of a shadow, which count in no budget of a caller.',
  examples: {
    'skein budget put tenant:shop --usd 5': 'Five dollars a day',
    'skein budget put all --usd 500 --period month': 'For everything together',
  },
  arguments: { subject },
  options: {
    usd: decimal('N', 'US dollars.', [0, 1e9]),
    tokens: integer('N', 'Tokens of prompts and answers.', [0, 1e12]),
    period,
  },
  async run({ client }, { subject: whose, usd, tokens, period: when }) {
    if (usd === undefined && tokens === undefined) throw usageError('Give --usd or --tokens.');
    const budget = { subject: whose, period: when, usd, tokens };
    await client.putBudget(budget);
    return budget;
  },
  render({ subject: whose, period: when, usd, tokens }, style) {
    const limits = [
      usd === undefined ? [] : [`$${usd}`],
      tokens === undefined ? [] : [`${tokens} tokens`],
    ].flat();
    return `${style.green('✓')} ${style.bold(whose)} may spend ${limits.join(' and ')} a ${when}.`;
  },
});

export const budgetLs = nodeCommand({
  name: 'budget ls',
  summary: 'List the budgets of language models with their spending.',
  details:
    'Spending counts from the beginning of the period, over all nodes of a fleet. It includes the worst cases that are reserved for requests in flight.',
  examples: { 'skein budget ls': 'Each limit, and what is spent of it' },
  run: async ({ client }) => (await client.getLanguageModels()).budgets,
  render: (budgets, style) =>
    budgets.length === 0
      ? style.commands('No budget is set. Begin with: skein budget put all --usd 5')
      : renderBudgets(budgets, style),
});

export function renderBudgets(budgets: LanguageView['budgets'], style: Style): string {
  return renderTable(style, budgets, [
    ['BUDGET OF', ({ subject: whose }) => whose],
    ['PERIOD', ({ period: when }) => when],
    ['TAKEN', ({ taken, unit }) => amount(taken, unit), 'right'],
    ['LIMIT', ({ limit, unit }) => amount(limit, unit), 'right'],
  ]);
}

const amount = (value: number, unit: 'usd' | 'tokens'): string =>
  unit === 'usd' ? `$${value.toFixed(4)}` : `${value} tokens`;

export const budgetRm = nodeCommand({
  name: 'budget rm',
  summary: 'Remove a budget.',
  examples: { 'skein budget rm tenant:shop': 'The one of the day' },
  arguments: { subject },
  options: { period },
  async run({ client }, { subject: whose, period: when }) {
    await client.removeBudget({ subject: whose, period: when });
    return { removed: whose, period: when };
  },
  render: ({ removed, period: when }) => `The budget of ${removed} per ${when} is removed.`,
});
