/** Versions of data sets as files that a training reads: they are kept in the data folder, for resumed runs. */
import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DataVersionDetail } from '@skein/api';
import type { Client } from '@skein/api/client';
import { downloadArtifact } from '@skein/api/files';
import { makeFolders } from '@skein/api/folders';
import type { PlacedVersion } from '@skein/train/run';
import type { Source } from '@skein/data/data-set';
import type { Context } from '../command-line/command.ts';
import { dataFolder, type ConnectionChoice } from '../connection/connection.ts';
import { digestOf, findVersion, sourceOf, versionIn } from '../jobs/data-versions.ts';
import { withJobs } from '../jobs/embedded.ts';
import type { Flags } from './options.ts';

/** Bounds of DuckDB while it brings the files of a version together. */
const JOINING = { cores: 1, memoryBytes: 512 * 2 ** 20 };

type Placed = Partial<Record<'data' | 'validation', PlacedVersion>>;

/** @throws SkeinError DATA_UNKNOWN, DATA_CHANGED. */
export async function placedVersions(
  context: Context,
  choice: ConnectionChoice,
  { data, validation }: Flags,
): Promise<Placed> {
  const wanted = Object.entries({ data, validation }).filter(
    (entry): entry is ['data' | 'validation', string] =>
      typeof entry[1] === 'string' && versionIn(context.cwd, entry[1]) !== undefined,
  );
  if (wanted.length === 0) return {};
  return withJobs(context, choice, async (client) => {
    const placed: Placed = {};
    for (const [key, given] of wanted) {
      const found = await findVersion(client, given);
      const { name, version, manifest } = found;
      const path = await fileOf(context, client, found, dataFolder(context, choice.data));
      placed[key] = { path, version: { name, version, manifest } };
    }
    return placed;
  });
}

/**
 * One file with all rows: the only file of a version as it is, else Parquet that has the rows in order.
 * Its digest is the same whenever it is made.
 */
async function fileOf(
  { signal, notes, cwd }: Context,
  client: Client,
  found: DataVersionDetail,
  data: string,
): Promise<string> {
  const folder = resolve(cwd, data, 'data-sets');
  const source = await sourceOf(found);
  const [only, ...others] = source.shards;
  const isPlain = others.length === 0 && source.csv === undefined;
  if (isPlain && only !== undefined && 'path' in only && !/\.(gz|zst)$/.test(only.path)) {
    return only.path;
  }
  await makeFolders(folder, 0o700);
  notes.progress(`Fetching ${found.name}@${found.version}`);
  if (isPlain && only !== undefined && 'digest' in only) {
    const path = join(folder, `${only.digest}.${source.format}`);
    const isKept = (await digestOf(path).catch(() => undefined)) === only.digest;
    if (!isKept) await downloadArtifact(client, only.digest, path, signal);
    return path;
  }
  const path = join(folder, `${found.manifest}.parquet`);
  if ((await stat(path).catch(() => undefined)) !== undefined) return path;
  const scratch = await mkdtemp(join(folder, 'joining-'));
  try {
    const files: string[] = [];
    for (const [index, shard] of source.shards.entries()) {
      const file = 'path' in shard ? shard.path : join(scratch, `${index}.${source.format}`);
      if ('digest' in shard) await downloadArtifact(client, shard.digest, file, signal);
      files.push(file);
    }
    await rename(await joined(source, files, scratch), path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return path;
}

async function joined(
  { format, columns, csv }: Source,
  files: readonly string[],
  scratch: string,
): Promise<string> {
  const { boundsOf, openEngines } = await import('@skein/data');
  const bounds = boundsOf(JOINING);
  const engines = openEngines();
  const ask = engines.of('');
  try {
    const table = { files, format, csv, columns };
    // Dates of CSV have one format in all files, as in a map.
    const { dates } =
      format === 'csv' ? (await ask('describe', { table, bounds, scratch })).value : {};
    const tables = { data: { ...table, dates } };
    const folder = await mkdtemp(join(scratch, 'rows-'));
    const given = { tables, sql: 'FROM data', format: 'parquet', folder, bounds, scratch } as const;
    const { value } = await ask('statement', given);
    return value.files[0]![0]!;
  } finally {
    await engines[Symbol.asyncDispose]();
  }
}
