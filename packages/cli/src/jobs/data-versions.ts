/** Versions of data sets on the command line: NAME@3 stands wherever a table is given. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type {
  DataFile,
  DataManifest,
  DataOrigin,
  DataVersion,
  DataVersionDetail,
  DataVersionName,
} from '@skein/api';
import type { Client } from '@skein/api/client';
import { hasFailed } from '@skein/api/job-states';
import { SkeinError } from '@skein/api/errors';
import type { PlacedFile, Source } from '@skein/data/data-set';
import type { MapOutput } from '@skein/jobs/map';
import type { Context } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';
import { recordsOf } from './data-set.ts';
import type { Submit } from './embedded.ts';
import { followJob } from './follow.ts';
import { mapJob } from './map-job.ts';

const VERSION = /^([a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?)@([1-9]\d{0,8})$/;

const NAME = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/;

export type GivenVersion = Pick<DataVersionName, 'name' | 'version'>;

/** @returns undefined for a path; a file of that name comes first. */
export function versionIn(cwd: string, given: string): GivenVersion | undefined {
  const [, name, version] = VERSION.exec(given) ?? [];
  if (name === undefined || version === undefined) return undefined;
  return existsSync(resolve(cwd, given)) ? undefined : { name, version };
}

/** Whether a table of a map is a version: `heart@3` or `labels=heart@3`. */
const isVersion = (cwd: string, given: string): boolean =>
  versionIn(cwd, given.replace(/^[A-Za-z_]\w*=/, '')) !== undefined;

/** Names of files that the origin of a version keeps. */
const MOST_NAMED = 100;

/** The files of a lineage: as they were given, without versions and secrets. */
export const filesIn = (cwd: string, given: readonly string[]): string[] =>
  given
    .filter((each) => !isVersion(cwd, each))
    .slice(0, MOST_NAMED)
    .map(withoutSecrets);

/** An address without its user and its query, which may hold a secret: a lineage is kept and shown. */
export const withoutSecrets = (given: string): string =>
  given.replace(/^((?:\w+=)?\w+:\/\/)(?:[^@/?#]*@)?([^?#]*).*$/s, '$1$2');

/** Before work whose rows become a version. @throws SkeinError USAGE. */
export function requireName(given: string): void {
  if (NAME.test(given)) return;
  throw usageError(`"${given}" is not a name of a data set: 1–63 of a–z, 0–9, ".", "_", "-".`);
}

/** @throws SkeinError USAGE for a text that is not NAME@VERSION. */
export function requireVersion(given: string): GivenVersion {
  const [, name, version] = VERSION.exec(given) ?? [];
  if (name !== undefined && version !== undefined) return { name, version };
  throw usageError(`"${given}" is not a version of a data set, such as heart@1.`);
}

/** @param given NAME@VERSION, or NAME for the newest one. @throws SkeinError DATA_UNKNOWN. */
export async function findVersion(client: Client, given: string): Promise<DataVersionDetail> {
  if (given.includes('@')) return client.getDataVersion(requireVersion(given));
  const [newest] = (await client.listData({ name: given })).versions;
  if (newest === undefined) {
    throw new SkeinError('DATA_UNKNOWN', `There is no data set "${given}".`);
  }
  return client.getDataVersion({ name: given, version: newest.version });
}

/** The rows of a version as a table of a statement. @throws SkeinError DATA_CHANGED. */
export async function sourceOf({ name, version, contents }: DataVersionDetail): Promise<Source> {
  const { format, columns, csv, files } = contents;
  const { CsvDialect } = await import('@skein/data/data-set');
  const shards: Source['shards'] = [];
  for (const file of files) {
    const { digest, sizeBytes, path } = file;
    shards.push(
      path === undefined
        ? { digest, sizeBytes }
        : await unchanged({ ...file, path }, `${name}@${version}`),
    );
  }
  return {
    format,
    shards,
    ...(format === 'parquet'
      ? {}
      : { columns: Object.fromEntries(columns.map((each) => [each.name, each.type])) }),
    ...(csv === undefined ? {} : { csv: CsvDialect.parse(csv) }),
  };
}

/** A file with another time but the same content is the same file. */
async function unchanged(
  { path, digest, sizeBytes, modifiedMs }: DataFile & { readonly path: string },
  version: string,
): Promise<PlacedFile> {
  const now = await stat(path).catch(() => undefined);
  const changed = (how: string) =>
    new SkeinError('DATA_CHANGED', `${path} ${how}: it is a file of ${version}.`);
  if (now === undefined) throw changed('is gone');
  const isSame =
    now.size === sizeBytes && (now.mtimeMs === modifiedMs || (await digestOf(path)) === digest);
  if (!isSame) throw changed('has changed');
  return { path, sizeBytes, modifiedMs: now.mtimeMs };
}

/** sha-256 of a file, in hex. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** A table with the digests of the files that are read where they lie. */
async function filesOf(context: Context, { shards }: Source): Promise<DataFile[]> {
  const files: DataFile[] = [];
  for (const shard of shards) {
    // Addresses are refused before: a version names what has a digest.
    if ('address' in shard) continue;
    if ('path' in shard) context.notes.progress(`Reading ${shard.path} for its digest`);
    files.push('path' in shard ? { ...shard, digest: await digestOf(shard.path) } : shard);
  }
  context.notes.clear();
  return files;
}

/** The columns in their order, and with each the number of all rows. */
const DESCRIBING =
  'SELECT column_name AS name, column_type AS type, (SELECT count(*) FROM data) AS rows FROM (DESCRIBE data)';

export interface NewVersion {
  readonly name: string;
  readonly note: string;
  readonly from: DataOrigin;
  readonly queue: string;
}

interface Described {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
}

export interface Means {
  readonly client: Client;
  readonly submit: Submit;
}

/** Few rows of a table, by a statement that runs as a job. @throws SkeinError STEP_FAILED. */
export async function rowsByStatement<Row = Readonly<Record<string, unknown>>>(
  context: Context,
  { client, submit }: Means,
  source: Source,
  { queue, name, sql }: { readonly queue: string; readonly name: string; readonly sql: string },
): Promise<Row[]> {
  const input = { work: { kind: 'sql', sql }, format: 'jsonl' };
  const { id } = await submit(mapJob({ queue, name }, { data: source }, input));
  const { state, message = state, result } = await followJob(context, client, id);
  if (hasFailed(state) || result === undefined) {
    throw new SkeinError('STEP_FAILED', `Job ${id} did not succeed: ${message}`);
  }
  const { manifest } = result.value as MapOutput;
  return (await recordsOf(context, client, manifest!)) as Row[];
}

/** Finds the schema of a table and counts its rows in a job, then adds the version. */
export async function addVersion(
  context: Context,
  means: Means,
  source: Source,
  { name, note, from, queue }: NewVersion,
): Promise<DataVersion> {
  const found = await rowsByStatement<Described>(context, means, source, {
    queue,
    name: `describe ${name}`,
    sql: DESCRIBING,
  });
  const { format, csv } = source;
  const contents: DataManifest = {
    format,
    columns: found.map((each) => ({ name: each.name, type: each.type })),
    rows: found[0]?.rows ?? 0,
    files: await filesOf(context, source),
    ...(csv === undefined ? {} : { csv: csv as DataManifest['csv'] }),
  };
  return means.client.addDataVersion({ name, contents, note, from });
}

/** The rows that a map has stored, as the next version. @param manifest digest of theirs. */
export async function saveMap(
  context: Context,
  means: Means,
  manifest: string,
  version: NewVersion,
): Promise<DataVersion> {
  const { DataSet } = await import('@skein/data/data-set');
  const content = await means.client.downloadArtifact({ digest: manifest });
  const { format, shards } = DataSet.parse(await new Response(content).json());
  return addVersion(context, means, { format, shards }, version);
}
