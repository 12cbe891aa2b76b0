/** `skein keys create`: a new API key, whose secret is shown this once. */
import { parseDuration } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { openKeyStore } from '../keys.ts';
import { decimal, integer, many, text, value, withDefault } from '../option.ts';
import { usageError } from '../usage.ts';

const SCOPES = ['infer', 'read', 'jobs', 'admin'] as const;
type Scope = (typeof SCOPES)[number];

export const keysCreate = defineCommand({
  name: 'keys create',
  summary: 'Make an API key; its secret is shown this once.',
  details:
    'Works without a node too, on the data folder: the first key must exist before a node may listen beyond this machine.',
  examples: [
    { command: 'skein keys create --scope admin', does: 'The first key of a node' },
    {
      command: 'skein keys create --label shop --tenant shop --rate 50 --expires 90d',
      does: 'A key that only calls models',
    },
    {
      command: 'skein keys create --tenant ward --weight 3',
      does: 'Three times the share of a tenant without a weight',
    },
  ],
  arguments: {},
  options: {
    scope: many('SCOPE', 'infer, read, jobs or admin; default infer.', { choices: SCOPES }),
    label: withDefault(text('TEXT', 'Owner or purpose of the key.'), 'made by skein keys create'),
    tenant: withDefault(
      text('NAME', 'Tenant whose share and quota the calls count for.'),
      'default',
    ),
    rate: decimal('N', 'Requests per second that the key may send.', { min: 0.001, max: 1e6 }),
    maxConcurrent: integer('N', 'Requests that may wait or run at once.', { min: 1, max: 1e6 }),
    weight: decimal('N', 'Share of its tenant beside other tenants; default 1.', {
      min: 0.01,
      max: 1000,
    }),
    expires: value('WHEN', 'After a time such as 90d, or at an ISO 8601 time.', readExpiry),
    ...connectionOptions,
  },
  async run(context, { scope, label, tenant, rate, maxConcurrent, weight, expires, ...choice }) {
    const scopes = readScopes(scope);
    const store = await openKeyStore(context, choice);
    try {
      const key = await store.create({
        label,
        tenant,
        scopes,
        ...(rate === undefined ? {} : { ratePerSecond: rate }),
        ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
        ...(weight === undefined ? {} : { weight }),
        ...(expires === undefined ? {} : { expiresAt: expires }),
      });
      return { place: store.place, ...key };
    } finally {
      await store.close();
    }
  },
  render: (key, style) =>
    [
      style.bold(key.secret),
      '',
      `Keep it: it is shown this once. Id ${key.id}, ${key.scopes.join(' + ')}, tenant ${key.tenant}, in ${key.place}.`,
      style.dim('Use it: export SKEIN_KEY=…, or send "Authorization: Bearer …".'),
    ].join('\n'),
});

function readScopes(given: readonly string[]): Scope[] {
  const words = given.flatMap((part) => part.split(','));
  if (words.length === 0) return ['infer'];
  return [...new Set(words)].map((word) => {
    const scope = SCOPES.find((known) => known === word);
    if (scope === undefined) {
      throw usageError(`--scope: "${word}" is not one of ${SCOPES.join(', ')}.`);
    }
    return scope;
  });
}

/** ISO 8601. */
function readExpiry(given: string): string {
  const days = /^(\d+)d$/.exec(given);
  if (days !== null) return new Date(Date.now() + Number(days[1]) * 86_400_000).toISOString();
  const at = Date.parse(given);
  if (/^\d{4}-/.test(given) && Number.isFinite(at)) return new Date(at).toISOString();
  return new Date(Date.now() + parseDuration(given)).toISOString();
}
