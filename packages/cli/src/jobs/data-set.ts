/**
 * Data sets of the command line: tables that are cut into shards and stored, and the manifest of stored
 * shards.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { fileBlob, joinedBlob } from '@skein/api/file-blob';
import { isStored } from '@skein/api/files';
import type { DataFormat, DataSet, LocalDataSet, Piece } from '@skein/data/data-set';
import { formatBytes } from '@skein/api/units';
import type { Context } from '../command-line/command.ts';
import { readGivenFile } from '../file.ts';
import { pairsOf, usageError } from '../command-line/usage.ts';
import { cutIntoShards } from './split.ts';

const FORMATS: readonly DataFormat[] = ['csv', 'jsonl', 'parquet'];

const COMPRESSED = /\.(gz|zst)$/;

export interface Cutting {
  readonly shardBytes: number;
  /** Memory that cutting Parquet may use. */
  readonly resources: { readonly cores: number; readonly memoryBytes: number };
  /** DuckDB types of columns, as `NAME=TYPE`. */
  readonly columns: readonly string[];
}

/** Uploads tables in shards; a manifest names shards that are stored already, or next to it. */
export async function uploadDataSet(
  context: Context,
  client: Client,
  files: readonly string[],
  cutting: Cutting,
): Promise<DataSet> {
  const columns = columnsOf(cutting.columns);
  const [first = ''] = files;
  if (files.some((file) => extname(file) === '.json')) {
    if (files.length > 1) throw usageError('--data takes one manifest, or tables.');
    const { columns: before, ...dataSet } = await uploadManifest(context, client, first);
    const known = { ...before, ...columns };
    return { ...dataSet, ...(Object.keys(known).length === 0 ? {} : { columns: known }) };
  }
  const formats = new Set(files.map(formatOf));
  const [format, other] = formats;
  if (format === undefined || other !== undefined) {
    throw usageError(
      `All files of --data must have one format, not ${[...formats].join(' and ')}.`,
    );
  }
  const packed = files.find((file) => COMPRESSED.test(file));
  if (packed !== undefined) {
    throw usageError(
      `--data ${packed}: a compressed table is read only where it lies; decompress it first.`,
    );
  }
  const shards: Piece[] = [];
  for (const file of files) {
    const path = resolve(context.cwd, file);
    const info = await stat(path).catch(() => undefined);
    if (info?.isFile() !== true) {
      throw new SkeinError('FILE_UNREADABLE', `There is no file ${file}.`);
    }
    const cut = format === 'parquet' ? cutTable(path, cutting) : cutText(path, format, cutting);
    for await (const { content, index, count } of cut) {
      context.notes.progress(
        `Uploading ${file}: shard ${index + 1} of ${count} (${formatBytes(content.size)})`,
      );
      shards.push(await client.uploadArtifact({ content }));
    }
  }
  context.notes.clear();
  return { format, shards, ...(cutting.columns.length === 0 ? {} : { columns }) };
}

interface Cut {
  readonly content: Blob;
  readonly index: number;
  readonly count: number;
}

/** Slices of a file of lines, each with the header. */
async function* cutText(
  path: string,
  format: DataFormat,
  { shardBytes }: Cutting,
): AsyncGenerator<Cut> {
  const blob = await fileBlob(path);
  const csv = format === 'csv';
  const cut = await cutIntoShards(path, shardBytes, { header: csv, quotes: csv });
  const header = blob.slice(cut.header.start, cut.header.end);
  for (const [index, { start, end }] of cut.slices.entries()) {
    const content = joinedBlob([header, blob.slice(start, end)]);
    yield { content, index, count: cut.slices.length };
  }
}

async function* cutTable(path: string, { shardBytes, resources }: Cutting): AsyncGenerator<Cut> {
  // Loaded here: other formats are cut without DuckDB.
  const { cutParquet } = await import('@skein/data/cut-parquet');
  const scratch = await mkdtemp(join(tmpdir(), 'skein-cut-'));
  try {
    for await (const { file, ...place } of cutParquet(path, shardBytes, { resources, scratch })) {
      yield { content: await fileBlob(file), ...place };
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The format of a table by its name; a compressed table has that name before .gz or .zst. */
export function formatOf(file: string): DataFormat {
  const extension = extname(file.replace(COMPRESSED, ''))
    .slice(1)
    .toLowerCase()
    .replace('ndjson', 'jsonl')
    .replace('tsv', 'csv');
  const format = FORMATS.find((known) => known === extension);
  if (format !== undefined) return format;
  const endings = FORMATS.map((each) => `.${each}`).join(', ');
  throw usageError(`--data ${file}: the name must end with ${endings}, or .json for a manifest.`);
}

/** A name may have a `=`, a type has none. */
export const columnsOf = (given: readonly string[]): Record<string, string> =>
  pairsOf('--column', 'NAME=TYPE', given, (entry) => entry.lastIndexOf('='));

/** Uploads the shards that the node lacks, from the files next to the manifest. */
async function uploadManifest(context: Context, client: Client, file: string): Promise<DataSet> {
  const { shards, ...dataSet } = await readManifest(context.cwd, file);
  const folder = dirname(resolve(context.cwd, file));
  const pieces: Piece[] = [];
  for (const [index, { file: name, folder: own = '', digest, sizeBytes }] of shards.entries()) {
    context.notes.progress(`Looking for shard ${index + 1} of ${shards.length}`);
    pieces.push({ digest, sizeBytes });
    if (await isStored(client, digest, context.signal)) continue;
    const path = name === undefined ? undefined : resolve(folder, own, name);
    const lies = path !== undefined && (await stat(path).catch(() => undefined))?.isFile() === true;
    if (!lies) {
      throw new SkeinError(
        'ARTIFACT_UNKNOWN',
        `${file}: shard ${index + 1} (${digest.slice(0, 12)}) is neither stored nor next to the manifest.`,
      );
    }
    const content = await fileBlob(path);
    const stored = await client.uploadArtifact({ content });
    if (stored.digest !== digest) {
      throw new SkeinError('FILE_UNREADABLE', `${path} does not match its digest in ${file}.`);
    }
  }
  context.notes.clear();
  return { ...dataSet, shards: pieces };
}

async function readManifest(cwd: string, file: string): Promise<LocalDataSet> {
  return manifestIn(new TextDecoder().decode(await readGivenFile(cwd, file)), file);
}

/** @param file for the message. @throws SkeinError USAGE. */
export async function manifestIn(content: string, file: string): Promise<LocalDataSet> {
  // Loaded here: the schema brings its library.
  const { LocalDataSet: schema } = await import('@skein/data/data-set');
  const { success, data, error } = schema.safeParse(parsed(content));
  if (success) return data;
  const [issue] = error.issues;
  throw usageError(
    `--data ${file} is not a manifest of a data set: ${issue?.path.join('.') || 'all of it'}: ${issue?.message ?? ''}`,
  );
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The rows of a small data set, as they are. */
export async function rowsOf(
  { signal }: Context,
  client: Client,
  manifest: string,
): Promise<string> {
  const { DataSet: schema } = await import('@skein/data/data-set');
  const textOf = async (digest: string): Promise<string> =>
    new Response(await client.downloadArtifact({ digest }, { signal })).text();
  const { format, shards } = schema.parse(JSON.parse(await textOf(manifest)));
  const parts = await Promise.all(shards.map(({ digest }) => textOf(digest)));
  // Each part of CSV has the header.
  const rest = (part: string): string => part.slice(part.indexOf('\n') + 1);
  return parts.map((part, index) => (index > 0 && format === 'csv' ? rest(part) : part)).join('');
}

/** The rows of a small data set in JSON lines. */
export async function recordsOf(
  context: Context,
  client: Client,
  manifest: string,
): Promise<Record<string, unknown>[]> {
  const lines = (await rowsOf(context, client, manifest)).split('\n');
  return lines.filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
}
