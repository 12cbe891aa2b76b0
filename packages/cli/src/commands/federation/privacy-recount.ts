/** `skein privacy recount`: compares a site's account with the ledger of a federation. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '@skein/api/canonical';
import { type Given, givenBy, identityOf, LedgerExport, verifyLedger } from '@skein/federation';
import { type Counting, openSqliteMemory } from '@skein/federation/site/node';
import { argument, flag } from '../../command-line/option.ts';
import { defineCommand } from '../../command-line/command.ts';
import { usageError } from '../../command-line/usage.ts';
import { dataFolder, dataOption } from '../../connection/connection.ts';
import { accountOption, accountsOf, existingAccounts } from '../../federation/site-account.ts';
import { readGivenText } from '../../file.ts';

/** A site of this data folder. */
export interface Recounted extends Given {
  readonly account: string;
  /** Releases that the account counts now. */
  readonly counted: number;
  /** Whether it lacks some. */
  readonly behind: boolean;
}

export const privacyRecount = defineCommand({
  name: 'privacy recount',
  summary: 'Find releases that the privacy account lacks, by the ledger of a federation.',
  details:
    'An account that was restored from an older copy lacks what was spent since. The ledger of a federation lists the sums that hold an update of this site: an account that counts fewer releases is behind, and this command ends with 1. ' +
    'With --write they are counted. Attempts that were aborted after the site was asked count too, because a ledger does not record whether it had answered. The limit is not checked, because these releases were made already.',
  examples: {
    'skein privacy recount heart.ledger.json': 'Compare',
    'skein privacy recount heart.ledger.json --write': 'Count what is missing',
  },
  arguments: {
    ledger: argument('FILE', 'As `skein ledger export` writes it.'),
  },
  options: {
    write: flag('Count the missing releases.'),
    account: accountOption,
    folder: dataOption,
  },
  async run(context, { ledger: file, write, account, folder }) {
    const text = await readGivenText(context.cwd, file);
    const { run: federation } = await verifyLedger(text);
    const ledger = LedgerExport.parse(JSON.parse(text));
    const { plan, entries } = ledger;
    const planDigest = await digestOf(plan);
    const accounts = write ? await accountsOf(context, folder) : existingAccounts(context, folder);
    try {
      const own: Counting[] = [...(accounts?.sitesOf(federation) ?? [])];
      const stored = await storedKey(
        join(dataFolder(context, folder), 'sites', `${federation}.db`),
      );
      if (stored !== undefined && !own.some(({ site }) => site === stored)) {
        own.push({ site: stored, account, releases: 0 });
      }
      const sites: Recounted[] = [];
      for (const { site, releases, account: of } of own) {
        const given = await givenBy(site, ledger);
        if (given === undefined) continue;
        const isBehind = releases < given.atLeast;
        const entrant = { run: federation, site, account: of, plan, planDigest };
        const counted =
          isBehind && write ? accounts!.recount(entrant, given.atMost, new Date()) : releases;
        sites.push({ account: of, counted, behind: counted < given.atLeast, ...given });
      }
      if (sites.length === 0) {
        throw usageError(`No site of this data folder has accepted the plan of ${federation}.`);
      }
      if (write && entries.at(-1)!.event.kind === 'ended') accounts!.close(federation);
      return { federation, sites };
    } finally {
      accounts?.dispose();
    }
  },
  exitCode: ({ sites }) => (sites.some(({ behind }) => behind) ? 1 : 0),
  render({ federation, sites }, style) {
    return sites
      .map(({ account, counted, atLeast, atMost, behind }) => {
        const releases = `The account ${account} counts ${counted} releases of ${federation}`;
        const sums = `its ledger has ${atLeast} sums with an update of this site`;
        if (!behind) return `${style.green('✓')} ${releases}, and ${sums}.`;
        return `${style.yellow('warning:')} ${releases}, but ${sums}: it was restored from an older copy. --write counts ${atMost}, the most that the site was asked for.`;
      })
      .join('\n');
  },
});

/** Key in the memory of a site in this file; undefined: there is none. */
async function storedKey(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const memory = openSqliteMemory(path);
  try {
    return (await identityOf(await memory.identity())).key;
  } finally {
    await memory.close();
  }
}
