/** `skein ledger`: what a federation has done, and whether the record was changed. */
import { ledgerText, seenOf, verifyLedger, type LedgerExport } from '@skein/federation';
import { defineCommand, type Context } from '../../command-line/command.ts';
import { connect, connectionOptions, type ConnectionChoice } from '../../connection/connection.ts';
import { argument, text, value } from '../../command-line/option.ts';
import { readGivenText, writeGivenFile } from '../../file.ts';
import { renderFields } from '../../output/table.ts';
import { find } from './federate.ts';

export const ledgerExport = defineCommand({
  name: 'ledger export',
  summary: 'Write the ledger of a federation into a file that can be verified offline.',
  examples: {
    'skein ledger export last --out heart.ledger.json': 'The newest federation',
  },
  arguments: { federation: argument('FEDERATION', 'Its id, the beginning of it, or last.') },
  options: {
    out: text('FILE', 'File to write; default: ID.ledger.json.'),
    ...connectionOptions,
  },
  async run(context, { federation, out, ...choice }) {
    const { id, content } = await fetched(context, choice, federation);
    const file = out ?? `${id}.ledger.json`;
    return { federation: id, path: await writeGivenFile(context.cwd, file, content) };
  },
  render: ({ path }) => `The ledger is in ${path}.`,
});

export const ledgerVerify = defineCommand({
  name: 'ledger verify',
  summary: 'Check a ledger offline: that no entry was edited, left out or cut off.',
  details:
    'Every entry holds the hash of the one before it, and is signed by the coordinator; sites sign entries too. A coordinator could write a second ledger with its own key: --seen finds whether this is the one that a site has seen. A file needs no connection; an id is fetched from the node first.',
  examples: {
    'skein ledger verify heart.ledger.json': 'A file',
    'skein ledger verify last': 'The newest federation of the node',
    'skein ledger verify heart.ledger.json --seen 12:7e3f…':
      'Whether it is the ledger that a site has seen, which ended with entry 12 then',
  },
  arguments: {
    ledger: argument('FILE', 'A file, or a federation of the node: its id or last.'),
  },
  options: {
    coordinator: text('KEY', 'Public key that the coordinator must have, in hex.'),
    seen: value(
      'N:HASH',
      'Entry that the ledger must hold, as `skein join` and the page of a site show at the end.',
      seenOf,
    ),
    ...connectionOptions,
  },
  async run(context, { ledger, coordinator, seen, ...choice }) {
    const content = /[./\\]/.test(ledger)
      ? await readGivenText(context.cwd, ledger)
      : (await fetched(context, choice, ledger)).content;
    const { witnesses, ...found } = await verifyLedger(content, { coordinator, seen });
    return { ...found, witnesses: Object.fromEntries(witnesses) };
  },
  render(found, style) {
    const counted = (count: number, name: string) => `${count} ${count === 1 ? name : `${name}s`}`;
    const helpers = found.helpers.length;
    const sites = counted(Object.keys(found.witnesses).length - helpers, 'site');
    return [
      `${style.green('✓')} Nothing in the ledger was changed.`,
      renderFields(style, [
        ['federation', found.run],
        ['coordinator', found.coordinator],
        ['entries', `${found.entries}, from ${found.from} to ${found.to}`],
        [
          'rounds',
          `${found.rounds} done, ${found.aborted} aborted, ${found.releases} sums released`,
        ],
        [
          'signed by',
          helpers === 0
            ? `the coordinator and ${sites}`
            : `the coordinator, ${sites} and ${counted(helpers, 'helper')}`,
        ],
      ]),
      ...(found.clockSetBack.length === 0
        ? []
        : [
            `${style.yellow('warning:')} the clock of the coordinator was set back before entry ${found.clockSetBack.join(', ')}: trust no date in this ledger without another record.`,
          ]),
    ].join('\n');
  },
});

async function fetched(context: Context, choice: ConnectionChoice, wanted: string) {
  const connection = await connect(context, choice);
  const { id } = await find(connection, wanted);
  const ledger = await connection.client.getLedger({ id });
  return { id, content: ledgerText(ledger as unknown as LedgerExport) };
}
