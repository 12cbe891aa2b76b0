/** `skein keys ls`: the API keys, without their secrets. */
import { formatAge, formatRate } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { keyStateText, openKeyStore } from '../keys.ts';
import { renderTable } from '../output/table.ts';

export const keysLs = defineCommand({
  name: 'keys ls',
  summary: 'List the API keys, without their secrets.',
  examples: [{ command: 'skein keys ls', does: 'Revoked and expired ones too' }],
  arguments: {},
  options: connectionOptions,
  async run(context, choice) {
    const store = await openKeyStore(context, choice);
    try {
      return { place: store.place, keys: await store.list() };
    } finally {
      await store.close();
    }
  },
  render({ keys, place }, style) {
    if (keys.length === 0) return `There are no keys in ${place}.`;
    const now = Date.now();
    return renderTable(
      [
        { title: 'ID' },
        { title: 'STATE' },
        { title: 'SCOPES' },
        { title: 'TENANT' },
        { title: 'WEIGHT', align: 'right' },
        { title: 'RATE', align: 'right' },
        { title: 'MADE' },
        { title: 'LABEL' },
      ],
      keys.map((key) => [
        key.id,
        keyStateText(key, now),
        key.scopes.join(','),
        key.tenant,
        String(key.weight ?? 1),
        key.ratePerSecond === undefined ? 'any' : formatRate(key.ratePerSecond),
        formatAge(key.createdAt, now),
        key.label,
      ]),
      style,
    );
  },
});
