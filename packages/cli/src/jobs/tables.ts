/** The tables of `skein map`: files where they lie, for a node on this machine, or stored ones. */
import { existsSync } from 'node:fs';
import { glob, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DataVersionName } from '@skein/api';
import { credentialRefusal } from '@skein/api/address-secrets';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import type {
  CsvDialect,
  DataFormat,
  PlacedFile,
  RemoteAccess,
  Source,
} from '@skein/data/data-set';
import { HERE, MAP_LABEL } from '@skein/jobs/labels';
import { isAddress } from '@skein/state/sources';
import type { Context } from '../command-line/command.ts';
import { pairsOf, usageError } from '../command-line/usage.ts';
import { findVersion, sourceOf, versionIn, withoutSecrets } from './data-versions.ts';
import { columnsOf, formatOf, uploadDataSet, type Cutting } from './data-set.ts';

export interface TablesChoice extends Cutting {
  /** Settings of CSV, as `NAME=VALUE`. */
  readonly csv: readonly string[];
  /** Whether the workers read the files of this machine. */
  readonly inPlace: boolean;
  /** Receives each version of a data set that is given as a table. */
  readonly onVersion?: (version: DataVersionName) => void;
  /** How workers reach addresses, which a statement alone can read. Absent: addresses are refused. */
  readonly access?: RemoteAccess | undefined;
}

/** Whether a worker of the node reads files of this machine: one in a container may share no more than the data folder. */
export async function readsHere(client: Pick<Client, 'listWorkers'>): Promise<boolean> {
  const { workers } = await client.listWorkers();
  const able = workers.filter(({ labels }) => labels.includes(MAP_LABEL));
  // The worker of a node that has just started is not listed yet.
  return able.length === 0 || able.some(({ labels }) => labels.includes(HERE));
}

/** The table that statements have where no other name is given. */
const DATA = 'data';

/**
 * @param given files, folders, patterns, manifests, or versions of data sets, such as heart@3.
 * @throws SkeinError USAGE, FILE_UNREADABLE, DATA_UNKNOWN, DATA_CHANGED.
 */
export async function tablesOf(
  context: Context,
  client: Client,
  given: readonly string[],
  choice: TablesChoice,
): Promise<Record<string, Source>> {
  const files = new Map<string, string[]>();
  const addresses = new Map<string, string[]>();
  const tables: Record<string, Source> = {};
  for (const entry of given) {
    const [name, pattern] = namedPattern(context.cwd, entry);
    if (isAddress(pattern)) {
      const refusal = credentialRefusal(pattern);
      if (refusal !== undefined) throw usageError(refusal);
      if (choice.access === undefined) throw notStored(pattern);
      addresses.set(name, [...(addresses.get(name) ?? []), pattern]);
      continue;
    }
    if (versionIn(context.cwd, pattern) !== undefined) {
      const { [name]: other } = tables;
      if (other !== undefined)
        throw usageError(`--data ${entry}: the table ${name} is given twice.`);
      const found = await findVersion(client, pattern);
      choice.onVersion?.({ name: found.name, version: found.version, manifest: found.manifest });
      tables[name] = await sourceOf(found);
      continue;
    }
    const found = await filesOf(context.cwd, pattern);
    files.set(name, [...(files.get(name) ?? []), ...found]);
  }
  const csv = await dialectOf(choice.csv);
  for (const [name, remote] of addresses) {
    if (files.has(name) || tables[name] !== undefined) {
      throw usageError(`The table ${name} has addresses and other files: give each its name.`);
    }
    const format = oneFormat(remote.map(pathIn));
    const { access, columns } = choice;
    const types = columns.length === 0 ? {} : { columns: columnsOf(columns) };
    const dialect = csv === undefined || format !== 'csv' ? {} : { csv };
    tables[name] = { format, shards: [], addresses: remote, access, ...types, ...dialect };
  }
  for (const [name, paths] of files) {
    if (tables[name] !== undefined) {
      throw usageError(`The table ${name} is a version of a data set, and takes no other files.`);
    }
    const isPlaced = choice.inPlace && !paths.some((path) => path.endsWith('.json'));
    const table = isPlaced
      ? await placed(context.cwd, paths, choice.columns)
      : await uploadDataSet(context, client, paths, choice);
    tables[name] = { ...table, ...(csv === undefined || table.format !== 'csv' ? {} : { csv }) };
  }
  return tables;
}

/** A file may have a = in its name, as in year=2026/may.parquet. */
function namedPattern(cwd: string, entry: string): [name: string, pattern: string] {
  const [, name, pattern] = /^([A-Za-z_]\w*)=(.+)$/s.exec(entry) ?? [];
  if (name === undefined || pattern === undefined || existsSync(resolve(cwd, entry))) {
    return [DATA, entry];
  }
  return [name, pattern];
}

/** The file, all tables of the folder, or all files that the pattern fits, by their names. */
async function filesOf(cwd: string, pattern: string): Promise<string[]> {
  const info = await stat(resolve(cwd, pattern)).catch(() => undefined);
  if (info?.isFile() === true) return [pattern];
  const wanted =
    info?.isDirectory() === true
      ? `${pattern}/**/*.{csv,tsv,jsonl,ndjson,parquet}{,.gz,.zst}`
      : pattern;
  const found: string[] = [];
  for await (const path of glob(wanted, { cwd })) found.push(path);
  if (found.length > 0) return found.sort();
  throw new SkeinError('FILE_UNREADABLE', `There is no file ${pattern}.`);
}

function oneFormat(paths: readonly string[]): DataFormat {
  const [format, other] = new Set(paths.map(formatOf));
  if (format !== undefined && other === undefined) return format;
  throw usageError(`All files of a table must have one format, not ${format} and ${other}.`);
}

const notStored = (address: string): Error =>
  usageError(`${address}: only a statement reads an address: use skein map --sql, or download it.`);

/** The path of an address, which ends as its files do. @throws SkeinError USAGE: a folder has no format. */
function pathIn(address: string): string {
  if (!URL.canParse(address)) throw usageError(`${withoutSecrets(address)} is not an address.`);
  const { pathname } = new URL(address);
  if (!pathname.endsWith('/') && pathname !== '') return pathname;
  throw usageError(
    `${address}: write which files of the folder, such as ${address.replace(/\/?(\?|$)/, '/*.parquet$1')}.`,
  );
}

async function placed(
  cwd: string,
  paths: readonly string[],
  columns: readonly string[],
): Promise<Source> {
  const format = oneFormat(paths);
  const shards: PlacedFile[] = [];
  for (const path of paths) {
    const absolute = resolve(cwd, path);
    const { size, mtimeMs } = await stat(absolute);
    shards.push({ path: absolute, sizeBytes: size, modifiedMs: mtimeMs });
  }
  return { format, shards, ...(columns.length === 0 ? {} : { columns: columnsOf(columns) }) };
}

/** @throws SkeinError USAGE, with the settings that there are. */
async function dialectOf(given: readonly string[]): Promise<CsvDialect | undefined> {
  if (given.length === 0) return undefined;
  const { CsvDialect: schema } = await import('@skein/data/data-set');
  const values = Object.entries(pairsOf('--csv', 'NAME=VALUE', given)).map(([name, value]) => {
    if (name === 'header' && (value === 'true' || value === 'false')) {
      return [name, value === 'true'] as const;
    }
    return [name, name === 'skip' ? Number(value) : value] as const;
  });
  const { success, data, error } = schema.safeParse(Object.fromEntries(values));
  if (success) return data;
  const [issue] = error.issues;
  const names = Object.keys(schema.shape).join(', ');
  throw usageError(
    `--csv ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}. It takes: ${names}.`,
  );
}
