/** `skein privacy account`, `limit` and `close`: what a site has spent over all its federations, and may. */
import { type AccountReport, UNITS } from '@skein/federation/site/node';
import {
  argument,
  choice,
  decimal,
  flag,
  optionalArgument,
  withDefault,
} from '../../command-line/option.ts';
import { defineCommand } from '../../command-line/command.ts';
import { usageError } from '../../command-line/usage.ts';
import { dataOption } from '../../connection/connection.ts';
import {
  accountOption,
  accountsOf,
  accountText,
  epsilonText,
  existingAccounts,
} from '../../federation/site-account.ts';
import { renderTable } from '../../output/table.ts';

export const privacyAccount = defineCommand({
  name: 'privacy account',
  summary: 'Show the privacy that the rows of this site have spent over all its federations.',
  details:
    'The ledger of a federation counts that federation. A site that joins several with the same rows spends in each: its account composes their losses, which is less than the sum of their ε. ' +
    'Until a federation is over, all that its plan allows counts as spent. Only what `skein join` has done on this data folder is counted: not a page of a browser, and not a model that was trained on the rows in another way.',
  examples: {
    'skein privacy account': 'All accounts of this data folder',
    'skein privacy account default --json': 'One of them, for a program',
  },
  arguments: { account: optionalArgument('NAME', 'One account; default: all.') },
  options: { folder: dataOption },
  async run(context, { account, folder }): Promise<{ accounts: readonly AccountReport[] }> {
    const accounts = existingAccounts(context, folder);
    if (accounts === undefined) return { accounts: [] };
    try {
      const names = accounts.names();
      if (account !== undefined && !names.includes(account)) {
        const known = names.length === 0 ? 'There is none' : `There are ${names.join(', ')}`;
        throw usageError(`There is no account "${account}". ${known}.`);
      }
      const shown = account === undefined ? names : [account];
      return { accounts: shown.map((name) => accounts.report(name)) };
    } finally {
      accounts.dispose();
    }
  },
  render({ accounts }, style) {
    if (accounts.length === 0) return 'No site of this data folder has taken part in a federation.';
    return accounts
      .map((report) =>
        [
          ...accountText(report),
          ...(report.federations.length === 0
            ? []
            : [
                '',
                renderTable(style, report.federations, [
                  ['FEDERATION', ({ run }) => run],
                  ['NAME', ({ name }) => name],
                  ['HIDES', ({ hides }) => hides],
                  ['SPENT', ({ epsilon }) => epsilonText(epsilon), 'right'],
                  ['RELEASES', ({ releases }) => String(releases), 'right'],
                  ['STATE', ({ open }) => (open ? 'open' : 'closed')],
                  ['SINCE', ({ since }) => since.slice(0, 10)],
                ]),
              ]),
        ].join('\n'),
      )
      .join('\n\n');
  },
});

export const privacyLimit = defineCommand({
  name: 'privacy limit',
  summary: 'Limit the privacy that the rows of this site may spend over all federations.',
  details:
    'A plan that could exceed the limit, together with all that was accepted before, is refused before anything runs; a release that would exceed it is not sent. The limit holds however the terms of later plans were chosen: it is kept at one order of Rényi divergence, which the first federation fixes (Feldman and Zrnic 2021). ' +
    'A federation without differential privacy has no bound, and is refused by every limit.',
  examples: {
    'skein privacy limit --epsilon 2 --delta 1e-5': 'Of any one row',
    'skein privacy limit --remove': 'No limit any more',
  },
  arguments: {},
  options: {
    epsilon: decimal('E', 'Most epsilon that may be spent.', [1e-6, 1e6]),
    delta: withDefault(
      decimal('D', 'Probability with which epsilon may not hold.', [1e-12, 0.1]),
      '1e-5',
    ),
    of: withDefault(
      choice(UNITS, 'Protected unit: any one row, or all rows of this site together.'),
      'row',
    ),
    remove: flag('Remove the limit.'),
    account: accountOption,
    folder: dataOption,
  },
  async run(context, { epsilon, delta, of: unit, remove, account, folder }) {
    if ((epsilon === undefined) !== remove) throw usageError('Give either --epsilon or --remove.');
    const accounts = await accountsOf(context, folder);
    try {
      return accounts.limit(account, epsilon === undefined ? undefined : { unit, epsilon, delta });
    } finally {
      accounts.dispose();
    }
  },
  render(report, style) {
    const { limit } = report;
    const committed = limit === undefined ? 0 : report[limit.unit].committed;
    const isOver = limit !== undefined && (committed === null || committed > limit.epsilon);
    return [
      ...accountText(report),
      ...(isOver
        ? [
            `${style.yellow('warning:')} what was accepted before may exceed it: its releases are refused from there on.`,
          ]
        : []),
    ].join('\n');
  },
});

export const privacyClose = defineCommand({
  name: 'privacy close',
  summary: 'Free the unspent part of a federation in the privacy account.',
  details:
    'A federation that ends closes its part automatically. One whose coordinator is gone stays open until its site is closed here. Nothing is sent for it from then on, unless the site joins it again, which asks the account again.',
  examples: { 'skein privacy close 3f2a9c': 'As `skein privacy account` names it' },
  arguments: { federation: argument('FEDERATION', 'Its id.') },
  options: { folder: dataOption },
  async run(context, { federation, folder }) {
    const accounts = existingAccounts(context, folder);
    try {
      if (accounts !== undefined && accounts.close(federation) > 0) return { closed: federation };
    } finally {
      accounts?.dispose();
    }
    throw usageError(
      `No federation "${federation}" is open in the privacy accounts of this folder.`,
    );
  },
  render: ({ closed }, style) => `${style.green('✓')} ${closed} is closed.`,
});
