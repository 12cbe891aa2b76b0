/**
 * The accounts of a site in Node: one SQLite file for all its federations. A release is on the disk before the site
 * computes what it sends for it.
 *
 * An account is a name, not the digest of a file: a file to which a row is appended has another digest, and the other
 * rows have spent what they have spent. So all rows of a site are in one account unless its owner names another one,
 * for rows of other people. A file that was counted in one account is refused in another.
 */
import { SkeinError } from '@skein/api/errors';
import { openDatabase } from '@skein/state/database';
import { Privacy, type Plan } from '../../plan/plan.ts';
import { mostReleases } from '../../plan/spent.ts';
import {
  type AccountLimit,
  type AccountReport,
  excessOf,
  type Participation,
  refusalOf,
  reportOf,
} from './account.ts';

/** The account of rows for which no other one is named. */
export const DEFAULT_ACCOUNT = 'default';

/** A federation that joins an account. */
export interface Entrant {
  readonly account: string;
  readonly run: string;
  /** The public key of this site, in hex. One that has lost its memory has another key, and spends anew. */
  readonly site: string;
  readonly plan: Plan;
  readonly planDigest: string;
  /** sha-256 of the file with the rows, in hex; absent while no file is chosen. */
  readonly data?: string | undefined;
}

/** A site, by its public key in hex, the account that counts it, and its releases. */
export type Counting = Pick<Row, 'site' | 'account' | 'releases'>;

export interface SiteAccounts {
  /** Names of all accounts with a federation or a limit. */
  names(): readonly string[];
  report(account: string): AccountReport;
  /** The account as it would be, and why it cannot be so. Nothing is written. */
  preview(entrant: Entrant): { readonly report: AccountReport; readonly refusal?: string };
  /**
   * Reserves all that a plan allows; again after a restart.
   * @throws SkeinError PRIVACY_LIMIT_REACHED, PRIVACY_ACCOUNT_OTHER, SITE_PLAN_CHANGED.
   */
  admit(entrant: Entrant, now: Date): AccountReport;
  /**
   * Counts releases of a run: the largest number that was given. More than its plan allows are not counted.
   * @throws SkeinError PRIVACY_LIMIT_REACHED, PRIVACY_ACCOUNT_CLOSED.
   */
  charge(entrant: Pick<Entrant, 'run' | 'site'>, releases: number): void;
  /** Sites of this folder in a federation. */
  sitesOf(run: string): readonly Counting[];
  /**
   * Counts releases from before the account, or that an older copy of it lacks: no limit is asked, since they are spent.
   * @returns the releases that are counted then.
   * @throws SkeinError PRIVACY_ACCOUNT_OTHER, SITE_PLAN_CHANGED.
   */
  recount(entrant: Entrant, releases: number, now: Date): number;
  /** Frees the releases that were not spent. @returns how many were open. */
  close(run: string): number;
  /** Undefined removes it. */
  limit(account: string, limit: AccountLimit | undefined): AccountReport;
  dispose(): void;
}

const MIGRATIONS = [
  `CREATE TABLE IF NOT EXISTS participation (place INTEGER PRIMARY KEY, run TEXT NOT NULL, site TEXT NOT NULL,
     account TEXT NOT NULL, name TEXT NOT NULL, plan TEXT NOT NULL, privacy TEXT NOT NULL,
     releases INTEGER NOT NULL, most INTEGER NOT NULL, open INTEGER NOT NULL, since TEXT NOT NULL,
     UNIQUE (run, site)) STRICT;
   CREATE TABLE IF NOT EXISTS bound (account TEXT PRIMARY KEY, unit TEXT NOT NULL, epsilon REAL NOT NULL,
     delta REAL NOT NULL) STRICT;
   CREATE TABLE IF NOT EXISTS data (digest TEXT PRIMARY KEY, account TEXT NOT NULL) STRICT;`,
];

interface Row extends Pick<Participation, 'run' | 'name' | 'releases' | 'most' | 'since'> {
  readonly site: string;
  readonly account: string;
  readonly plan: string;
  readonly privacy: string;
  readonly open: number;
}

/**
 * @param path the file; ':memory:' for tests.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export function openSiteAccounts(path: string): SiteAccounts {
  const database = openDatabase(path, MIGRATIONS);
  const inAccount = database.prepare(
    'SELECT * FROM participation WHERE account = ? ORDER BY place',
  );
  const ofSite = database.prepare('SELECT * FROM participation WHERE run = ? AND site = ?');
  const enter = database.prepare(
    `INSERT INTO participation (run, site, account, name, plan, privacy, releases, most, open, since)
     VALUES (?, ?, ?, ?, ?, ?, 0, ?, 1, ?)
     ON CONFLICT (run, site) DO UPDATE SET name = excluded.name, plan = excluded.plan,
       privacy = excluded.privacy, most = excluded.most, open = 1`,
  );
  const ofRun = database.prepare(
    'SELECT site, account, releases FROM participation WHERE run = ? ORDER BY place',
  );
  const count = database.prepare(
    'UPDATE participation SET releases = ? WHERE run = ? AND site = ?',
  );
  const closeRun = database.prepare('UPDATE participation SET open = 0 WHERE run = ? AND open = 1');
  const boundOf = database.prepare('SELECT unit, epsilon, delta FROM bound WHERE account = ?');
  const putBound = database.prepare('INSERT OR REPLACE INTO bound VALUES (?, ?, ?, ?)');
  const removeBound = database.prepare('DELETE FROM bound WHERE account = ?');
  const accountOfData = database.prepare('SELECT account FROM data WHERE digest = ?');
  const addData = database.prepare('INSERT OR IGNORE INTO data VALUES (?, ?)');
  const allNames = database.prepare(
    'SELECT account FROM participation UNION SELECT account FROM bound ORDER BY account',
  );

  const rowsOf = (account: string) => inAccount.all(account) as unknown as readonly Row[];
  const limitOf = (account: string) => boundOf.get(account) as unknown as AccountLimit | undefined;
  const report = (account: string): AccountReport =>
    reportOf(account, rowsOf(account).map(participationOf), limitOf(account));

  /** The participations with a new one. @throws SkeinError PRIVACY_ACCOUNT_OTHER, SITE_PLAN_CHANGED. */
  function withEntrant(entrant: Entrant, since: string): readonly Participation[] {
    const { account, run, site, data } = entrant;
    const known = ofSite.get(run, site) as unknown as Row | undefined;
    const counted = accountOfData.get(data ?? '') as unknown as Pick<Row, 'account'> | undefined;
    for (const [other, what] of [
      [known?.account, 'This federation'],
      [counted?.account, 'The file with the rows'],
    ] as const) {
      if (other === undefined || other === account) continue;
      throw new SkeinError(
        'PRIVACY_ACCOUNT_OTHER',
        `${what} is counted in the account ${other}, not in ${account}.`,
      );
    }
    if (known !== undefined && known.plan !== entrant.planDigest && known.releases > 0) {
      throw new SkeinError(
        'SITE_PLAN_CHANGED',
        'This site has sent updates under another plan of this federation.',
      );
    }
    const all = rowsOf(account);
    if (known === undefined) return [...all.map(participationOf), entered(entrant, since)];
    // A plan that was shown at first, and never answered, may have been replaced by another one.
    return all.map((row) =>
      row.run === run && row.site === site
        ? { ...entered(entrant, row.since), releases: row.releases }
        : participationOf(row),
    );
  }

  function add(entrant: Entrant, now: Date): void {
    const { account, run, site } = entrant;
    const { name, planDigest, privacy, most, since } = entered(entrant, now.toISOString());
    enter.run(run, site, account, name, planDigest, JSON.stringify(privacy), most, since);
  }

  return {
    names: () => database.read(() => allNames.all().map((row) => (row as unknown as Row).account)),
    report: (account) => database.read(() => report(account)),
    preview: (entrant) =>
      database.read(() => {
        const all = withEntrant(entrant, '');
        const limit = limitOf(entrant.account);
        const refusal = refusalOf(all, limit);
        const found = { report: reportOf(entrant.account, all, limit) };
        return refusal === undefined ? found : { ...found, refusal };
      }),
    admit: (entrant, now) =>
      database.write('power-cut', () => {
        const { account, data } = entrant;
        const refusal = refusalOf(withEntrant(entrant, now.toISOString()), limitOf(account));
        if (refusal !== undefined) {
          throw new SkeinError('PRIVACY_LIMIT_REACHED', `The plan was not accepted: ${refusal}.`);
        }
        add(entrant, now);
        if (data !== undefined) addData.run(data, account);
        return report(account);
      }),
    charge: ({ run, site }, given) =>
      database.write('power-cut', () => {
        const row = ofSite.get(run, site) as unknown as Row | undefined;
        if (row === undefined || row.open === 0) {
          throw new SkeinError(
            'PRIVACY_ACCOUNT_CLOSED',
            'The owner of this site has closed its part in this federation.',
          );
        }
        const releases = Math.min(given, row.most);
        if (releases <= row.releases) return;
        count.run(releases, run, site);
        const limit = limitOf(row.account);
        if (limit === undefined) return;
        const all = rowsOf(row.account).map(participationOf);
        if (excessOf(all, limit, 'spent') === undefined) return;
        // The coordinator receives this error; it does not need the numbers.
        throw new SkeinError(
          'PRIVACY_LIMIT_REACHED',
          'The owner of this site allows no further release.',
        );
      }),
    sitesOf: (run) => database.read(() => ofRun.all(run) as unknown as readonly Counting[]),
    recount: (entrant, releases, now) =>
      database.write('power-cut', () => {
        withEntrant(entrant, now.toISOString());
        const { run, site } = entrant;
        if (ofSite.get(run, site) === undefined) add(entrant, now);
        const { releases: before, most } = ofSite.get(run, site) as unknown as Row;
        const after = Math.max(before, Math.min(releases, most));
        count.run(after, run, site);
        return after;
      }),
    close: (run) => database.write('power-cut', () => Number(closeRun.run(run).changes)),
    limit: (account, limit) =>
      database.write('power-cut', () => {
        if (limit === undefined) removeBound.run(account);
        else putBound.run(account, limit.unit, limit.epsilon, limit.delta);
        return report(account);
      }),
    dispose: () => database.close(),
  };
}

function entered({ run, plan, planDigest }: Entrant, since: string): Participation {
  const { name, privacy } = plan;
  const most = mostReleases(plan);
  return { run, name, planDigest, privacy, releases: 0, most, open: true, since };
}

function participationOf({ plan, privacy, open, ...row }: Row): Participation {
  const { run, name, releases, most, since } = row;
  const terms = Privacy.parse(JSON.parse(privacy));
  return { run, name, planDigest: plan, privacy: terms, releases, most, open: open === 1, since };
}
