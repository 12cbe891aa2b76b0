/** `skein keys show`: one API key, and the shared resources that its tenant holds. */
import { formatAge, formatBytes, formatRate } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { keyStateText, openKeyStore, type KeyDetails } from '../keys.ts';
import { argument } from '../option.ts';
import type { Style } from '../output/style.ts';
import { renderFields, renderTable } from '../output/table.ts';

export const keysShow = defineCommand({
  name: 'keys show',
  summary: 'Show one API key, and the shared resources that its tenant holds.',
  details:
    'A limit depends on what other tenants hold. Only a running node knows what a tenant holds.',
  examples: [{ command: 'skein keys show 3f9a1c0b77de', does: 'The id is in skein keys ls' }],
  arguments: { id: argument('ID', 'Id of the key, as `skein keys ls` shows it.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    const store = await openKeyStore(context, choice);
    try {
      return await store.show(id);
    } finally {
      await store.close();
    }
  },
  render: renderKey,
});

function renderKey(key: KeyDetails, style: Style): string {
  const now = Date.now();
  const fields: [string, string][] = [
    ['id', key.id],
    ['state', key.durable ? keyStateText(key, now) : `${keyStateText(key, now)}, not written yet`],
    ['label', key.label],
    ['tenant', `${key.tenant}, weight ${key.weight ?? 1}`],
    ['scopes', key.scopes.join(', ')],
    ['rate', key.ratePerSecond === undefined ? 'any' : formatRate(key.ratePerSecond)],
    ['at once', key.maxConcurrent === undefined ? 'any number' : String(key.maxConcurrent)],
    ['made', formatAge(key.createdAt, now)],
  ];
  const { usage } = key;
  if (usage === undefined || usage.length === 0) return renderFields(fields, style);
  const amount = (value: number, unit: 'bytes' | 'count'): string =>
    unit === 'bytes' ? formatBytes(value) : String(value);
  const table = renderTable(
    [
      { title: 'TENANT HOLDS' },
      { title: 'NOW', align: 'right' },
      { title: 'LIMIT', align: 'right' },
    ],
    usage.map(({ name, unit, held, limit }) => [
      name,
      amount(held, unit),
      limit === undefined ? 'none' : amount(limit, unit),
    ]),
    style,
  );
  return `${renderFields(fields, style)}\n\n${table}`;
}
