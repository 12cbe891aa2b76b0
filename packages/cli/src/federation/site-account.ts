/** The privacy accounts of a data folder, for `skein join` and `skein privacy account`. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { toHex } from '@skein/api/canonical';
import { unreadable } from '@skein/api/file-errors';
import type { lookAtPlan, SiteMemory } from '@skein/federation/site';
import {
  type AccountReport,
  DEFAULT_ACCOUNT,
  openSiteAccounts,
  type SiteAccounts,
} from '@skein/federation/site/node';
import type { Context } from '../command-line/command.ts';
import { value, withDefault } from '../command-line/option.ts';
import { dataFolder, makeDataFolder } from '../connection/connection.ts';
import { givenFile } from '../file.ts';

const NAME = /^[\w.-]{1,100}$/;

export function readAccountName(text: string): string {
  if (NAME.test(text)) return text;
  throw new Error(`"${text}" is not a name of letters, digits, dots, - and _`);
}

export const accountOption = withDefault(
  value(
    'NAME',
    'Account in which the rows are counted; use another one only for rows of other people.',
    readAccountName,
  ),
  DEFAULT_ACCOUNT,
);

const fileIn = (context: Context, folder: string | undefined): string =>
  join(dataFolder(context, folder), 'privacy.db');

/** Undefined: no site of this data folder has taken part in a federation, nor has a limit. */
export function existingAccounts(
  context: Context,
  folder: string | undefined,
): SiteAccounts | undefined {
  const path = fileIn(context, folder);
  return existsSync(path) ? openSiteAccounts(path) : undefined;
}

/** Made if there are none. */
export async function accountsOf(
  context: Context,
  folder: string | undefined,
): Promise<SiteAccounts> {
  await makeDataFolder(dataFolder(context, folder));
  return openSiteAccounts(fileIn(context, folder));
}

/** A site and a plan, before an account. */
export interface AccountEntrance extends Disposable {
  preview(): ReturnType<SiteAccounts['preview']>;
  /** @throws SkeinError PRIVACY_LIMIT_REACHED, PRIVACY_ACCOUNT_OTHER. */
  admit(): void;
  /** @throws SkeinError PRIVACY_LIMIT_REACHED, PRIVACY_ACCOUNT_CLOSED. */
  readonly charge: (releases: number) => void;
  /** Frees the unspent part of a federation that is over. */
  leave(status: string): AccountReport;
}

export async function enterAccount(
  context: Context,
  given: {
    readonly run: string;
    readonly proposal: Awaited<ReturnType<typeof lookAtPlan>>;
    readonly memory: SiteMemory;
    readonly folder: string | undefined;
    readonly account: string;
    /** The file or folder with the rows, once there is one. */
    readonly data: string | undefined;
  },
): Promise<AccountEntrance> {
  const { run, account, data } = given;
  const { plan, planDigest } = given.proposal;
  const { publicKey } = await given.memory.identity();
  const site = toHex(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)));
  const digest = data === undefined ? undefined : await digestOfRows(context.cwd, data);
  const accounts = await accountsOf(context, given.folder);
  const entrant = { account, run, site, plan, planDigest, data: digest };
  return {
    preview: () => accounts.preview(entrant),
    admit: () => void accounts.admit(entrant, new Date()),
    charge: (releases) => accounts.charge(entrant, releases),
    leave(status) {
      if (status !== 'left') accounts.close(run);
      return accounts.report(account);
    },
    [Symbol.dispose]: () => accounts.dispose(),
  };
}

/** Digest of a file; of a folder, of the digests of its files by name. */
async function digestOfRows(cwd: string, data: string): Promise<string> {
  const path = resolve(cwd, data);
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(data, error);
  });
  if (!found.isDirectory()) return digestOfFile((await givenFile(cwd, data)).path);
  const entries = await readdir(path, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
  const hash = createHash('sha256');
  for (const file of files.toSorted()) {
    hash.update(`${relative(path, file)}\n${await digestOfFile(file)}\n`);
  }
  return hash.digest('hex');
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Spending of an account, in lines. */
export function accountText({ account, limit, delta, row, site }: AccountReport): string[] {
  const at = delta === undefined ? '' : ` at δ = ${delta}`;
  const bound =
    limit === undefined
      ? 'no limit'
      : `limit ε = ${limit.epsilon} for ${limit.unit === 'row' ? 'a row' : 'the whole site'}`;
  return [
    `Privacy account ${account}${at}, ${bound}:`,
    `  any one row: ${countedText(row)}`,
    `  all rows of this site together: ${countedText(site)}`,
  ];
}

export const epsilonText = (epsilon: number | null): string =>
  epsilon === null ? 'no bound' : `ε = ${epsilon.toFixed(3)}`;

function countedText({ spent, committed }: AccountReport['row']): string {
  if (spent === committed) return `${epsilonText(spent)}${spent === null ? '' : ' is spent'}`;
  const most = committed === null ? 'without a bound' : `up to ${epsilonText(committed)}`;
  return `${epsilonText(spent)} is spent; with open federations ${most}`;
}
