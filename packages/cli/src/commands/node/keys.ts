/** `skein keys`: who may call a node. */
import { defined } from '@skein/api/defined';
import { formatAge, formatBytes, formatRate, parseDuration } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { keysCommand, keyStateText, type KeyDetails } from './key-store.ts';
import {
  argument,
  decimal,
  integer,
  many,
  text,
  value,
  withDefault,
} from '../../command-line/option.ts';
import type { Style } from '../../output/style.ts';
import { type Field, renderFields, renderTable } from '../../output/table.ts';

const SCOPES = ['infer', 'read', 'jobs', 'admin'] as const;
type Scope = (typeof SCOPES)[number];

export const keysCreate = keysCommand({
  name: 'keys create',
  summary: 'Make an API key; its secret is shown this once.',
  details:
    'Works without a node too, on the data folder: the first key must exist before a node may listen beyond this machine.',
  examples: {
    'skein keys create --scope admin': 'The first key of a node',
    'skein keys create --label shop --tenant shop --rate 50 --expires 90d':
      'A key that only calls models',
    'skein keys create --tenant ward --weight 3':
      'Three times the share of a tenant without a weight',
  },
  options: {
    scope: {
      ...many('SCOPE', 'Scope: infer, read, jobs or admin; default infer.', { choices: SCOPES }),
      parse: readScopes,
    },
    label: withDefault(text('TEXT', 'Owner or purpose of the key.'), 'made by skein keys create'),
    tenant: withDefault(
      text('NAME', 'Tenant whose share and quota the calls count for.'),
      'default',
    ),
    rate: decimal('N', 'Requests per second that the key may send.', [0.001, 1e6]),
    maxConcurrent: integer('N', 'Requests that may wait or run at once.', [1, 1e6]),
    weight: decimal('N', 'Share of its tenant relative to other tenants; default 1.', [0.01, 1000]),
    expires: value('WHEN', 'Expiry after a time such as 90d, or at an ISO 8601 time.', readExpiry),
  },
  async run(store, { scope: scopes, label, tenant, rate, maxConcurrent, weight, expires }) {
    const limits = defined({ ratePerSecond: rate, maxConcurrent, weight, expiresAt: expires });
    const key = await store.create({ label, tenant, scopes, ...limits });
    return { place: store.place, ...key };
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
    if (scope === undefined) throw new Error(`"${word}" is not one of ${SCOPES.join(', ')}`);
    return scope;
  });
}

/** The last of four-digit years. */
const LAST_TIME = Date.parse('9999-12-31T23:59:59Z');

/** ISO 8601. @throws Error for a time that is over: the key would never work. */
function readExpiry(given: string): string {
  const at = expiryOf(given);
  if (at <= Date.now()) throw new Error(`"${given}" is not in the future`);
  if (at > LAST_TIME) throw new Error(`"${given}" is too far away`);
  return new Date(at).toISOString();
}

function expiryOf(given: string): number {
  const at = Date.parse(given);
  return /^\d{4}-/.test(given) && Number.isFinite(at) ? at : Date.now() + parseDuration(given);
}

export const keysGenerate = defineCommand({
  name: 'keys generate',
  summary: 'Print a new key for SKEIN_ADMIN_KEY or SKEIN_READ_KEY; store it nowhere.',
  details:
    'The nodes of a fleet, and containers, are given their first key at the start: the first node adds it to the state that they share.',
  examples: {
    'export SKEIN_ADMIN_KEY=$(skein keys generate)':
      'Before `skein up`, the same on every node of a fleet',
  },
  arguments: {},
  options: {},
  async run() {
    const { issueToken } = await import('@skein/server/keys');
    return { key: issueToken().token };
  },
  render: ({ key }) => key,
});

export const keysLs = keysCommand({
  name: 'keys ls',
  summary: 'List the API keys, without their secrets.',
  examples: { 'skein keys ls': 'Revoked and expired ones too' },
  run: async (store) => ({ place: store.place, keys: await store.list() }),
  render({ keys, place }, style) {
    if (keys.length === 0) return `There are no keys in ${place}.`;
    const now = Date.now();
    return renderTable(style, keys, [
      ['ID', ({ id }) => id],
      ['STATE', (key) => keyStateText(key, now)],
      ['SCOPES', ({ scopes }) => scopes.join(',')],
      ['TENANT', ({ tenant }) => tenant],
      ['WEIGHT', ({ weight }) => String(weight ?? 1), 'right'],
      ['RATE', rateText, 'right'],
      ['MADE', ({ createdAt }) => formatAge(createdAt, now)],
      ['LABEL', ({ label }) => label],
    ]);
  },
});

const KEY_ID = argument('ID', 'Id of the key, as `skein keys ls` shows it, or the key itself.');

/** A key that leaked may be all that an operator has of it. It is not sent: only its id is. */
function idOf(given: string): string {
  return /^skein_([0-9a-f]{12})_/.exec(given)?.[1] ?? given;
}

export const keysShow = keysCommand({
  name: 'keys show',
  summary: 'Show one API key, and the shared resources that its tenant holds.',
  details:
    'A limit depends on the holdings of other tenants. Only a running node counts the holdings of tenants.',
  examples: { 'skein keys show 3f9a1c0b77de': 'The id is in skein keys ls' },
  arguments: { id: KEY_ID },
  run: (store, { id }) => store.show(idOf(id)),
  render: renderKey,
});

function rateText({ ratePerSecond }: Pick<KeyDetails, 'ratePerSecond'>): string {
  return ratePerSecond === undefined ? 'any' : formatRate(ratePerSecond);
}

function renderKey(key: KeyDetails, style: Style): string {
  const now = Date.now();
  const fields: Field[] = [
    ['id', key.id],
    ['state', key.durable ? keyStateText(key, now) : `${keyStateText(key, now)}, not written yet`],
    ['label', key.label],
    ['tenant', `${key.tenant}, weight ${key.weight ?? 1}`],
    ['scopes', key.scopes.join(', ')],
    ['rate', rateText(key)],
    ['at once', key.maxConcurrent === undefined ? 'any number' : String(key.maxConcurrent)],
    ['made', formatAge(key.createdAt, now)],
  ];
  const { usage } = key;
  if (usage === undefined || usage.length === 0) return renderFields(style, fields);
  const amount = (value: number, unit: 'bytes' | 'count'): string =>
    unit === 'bytes' ? formatBytes(value) : String(value);
  const table = renderTable(style, usage, [
    ['TENANT HOLDS', ({ name }) => name],
    ['NOW', ({ unit, held }) => amount(held, unit), 'right'],
    ['LIMIT', ({ unit, limit }) => (limit === undefined ? 'none' : amount(limit, unit)), 'right'],
  ]);
  return `${renderFields(style, fields)}\n\n${table}`;
}

export const keysRevoke = keysCommand({
  name: 'keys revoke',
  summary: 'Revoke an API key; it stops working at once.',
  details:
    'It is refused at once also when that cannot be written, such as on a full disk. Then the command fails with REVOCATION_NOT_DURABLE, and the node keeps trying.',
  examples: { 'skein keys revoke 3f9a1c0b77de': 'The id is in skein keys ls' },
  arguments: { id: KEY_ID },
  async run(store, { id }) {
    const revoked = idOf(id);
    await store.revoke(revoked);
    return { revoked, place: store.place };
  },
  render: ({ revoked }) => `${revoked} is revoked.`,
});
