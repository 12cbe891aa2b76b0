/**
 * The result of a map in a folder or a bucket. Its files have new names, and the manifest is replaced
 * last, at once: a reader of the manifest sees the earlier result or this one, and never a half. Then the
 * files of the earlier result are removed.
 */
import { mkdtemp, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Client } from '@skein/api/client';
import { unwritable } from '@skein/api/file-errors';
import { downloadArtifact } from '@skein/api/files';
import { makeFolders } from '@skein/api/folders';
import { formatBytes } from '@skein/api/units';
import type { DataSet, LocalDataSet } from '@skein/data/data-set';
import { isBucket, openBucket } from '@skein/state/bucket';
import type { Context } from '../command-line/command.ts';
import { manifestIn } from './data-set.ts';

/** How a map calls the files of its shards: other files in the place are the user's. */
const SHARD = /^part-\d{5,}(?:-[0-9a-f]{8})?\.(?:csv|jsonl|parquet)$/;

/** A place for files, by their paths with slashes. */
interface Sink extends AsyncDisposable {
  /** @param bring writes the content to a path. */
  write(name: string, bring: (path: string) => Promise<void>): Promise<void>;
  /** Undefined where there is none. */
  read(name: string): Promise<string | undefined>;
  remove(name: string): Promise<void>;
  /** For messages. */
  shown(name: string): string;
}

/**
 * @param out a folder, which is made, or the address of a bucket with a prefix.
 * @throws SkeinError FILE_UNREADABLE, USAGE, STORE_UNREACHABLE, STORE_DENIED.
 */
export function openSink({ cwd, signal }: Context, out: string): Promise<Sink> {
  return isBucket(out) ? bucketSink(out, signal) : folderSink(cwd, out);
}

async function folderSink(cwd: string, out: string): Promise<Sink> {
  const folder = resolve(cwd, out);
  const make = (path: string): Promise<unknown> =>
    makeFolders(path).catch((error: unknown) => {
      throw unwritable(out, error);
    });
  await make(folder);
  return {
    async write(name, bring) {
      const path = join(folder, name);
      await make(dirname(path));
      await bring(path);
    },
    read: (name) => readFile(join(folder, name), 'utf8').catch(() => undefined),
    async remove(name) {
      const path = join(folder, name);
      await rm(path, { force: true });
      // A folder of a partition that has other files stays.
      for (let at = dirname(path); at.length > folder.length; at = dirname(at)) {
        if (
          !(await rmdir(at).then(
            () => true,
            () => false,
          ))
        )
          return;
      }
    },
    shown: (name) => join(folder, name),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function bucketSink(out: string, signal: AbortSignal): Promise<Sink> {
  const bucket = await openBucket(out, signal);
  const scratch = await mkdtemp(join(tmpdir(), 'skein-out-'));
  const { protocol, host, pathname } = new URL(out);
  return {
    async write(name, bring) {
      const path = join(scratch, 'file');
      await bring(path);
      await bucket.write(name, path);
      await rm(path);
    },
    read: async (name) => (await bucket.read(name))?.toString(),
    remove: (name) => bucket.remove(name),
    shown: (name) => `${protocol}//${host}${pathname.replace(/\/*$/, '/')}${name}`,
    async [Symbol.asyncDispose]() {
      bucket[Symbol.dispose]();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/**
 * Writes the shards and their manifest.
 * @returns the files, the manifest first. @throws SkeinError; no file of this result is left then.
 */
export async function writeResult(
  context: Context,
  client: Client,
  manifest: string,
  out: string,
): Promise<string[]> {
  const { DataSet: schema } = await import('@skein/data/data-set');
  const content = await client.downloadArtifact({ digest: manifest }, { signal: context.signal });
  const sink = await openSink(context, out);
  try {
    return await writeInto(sink, context, client, schema.parse(await new Response(content).json()));
  } finally {
    await sink[Symbol.asyncDispose]();
  }
}

async function writeInto(
  sink: Sink,
  context: Context,
  client: Client,
  dataSet: DataSet,
): Promise<string[]> {
  const { MANIFEST } = await import('@skein/data/data-set');
  const before = await filesIn(sink, MANIFEST);
  const shards: LocalDataSet['shards'] = [];
  const names = new Set<string>();
  try {
    for (const [index, shard] of dataSet.shards.entries()) {
      const place = `${String(index).padStart(5, '0')}-${shard.digest.slice(0, 8)}`;
      const file = `part-${place}.${dataSet.format}`;
      const name = nameOf({ ...shard, file });
      context.notes.progress(
        `Fetching shard ${index + 1} of ${dataSet.shards.length} (${formatBytes(shard.sizeBytes)})`,
      );
      names.add(name);
      await sink.write(name, (path) =>
        downloadArtifact(client, shard.digest, path, context.signal),
      );
      shards.push({ ...shard, file });
    }
    const local: LocalDataSet = { ...dataSet, shards };
    await sink.write(MANIFEST, (path) => replace(path, `${JSON.stringify(local, undefined, 2)}\n`));
  } catch (error) {
    for (const name of names) {
      if (!before.includes(name)) await sink.remove(name).catch(() => undefined);
    }
    throw error;
  }
  for (const name of before) if (!names.has(name)) await sink.remove(name);
  context.notes.clear();
  return [MANIFEST, ...names].map((name) => sink.shown(name));
}

const nameOf = ({ folder, file = '' }: LocalDataSet['shards'][number]): string =>
  folder === undefined ? file : `${folder}/${file}`;

async function replace(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  try {
    await writeFile(part, text);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw unwritable(path, error);
  }
}

/** Files that the manifest of the place names, if it has one. */
async function filesIn(sink: Sink, manifest: string): Promise<string[]> {
  const text = await sink.read(manifest);
  if (text === undefined) return [];
  try {
    const { shards } = await manifestIn(text, manifest);
    return shards.filter(({ file }) => file !== undefined && SHARD.test(file)).map(nameOf);
  } catch {
    // Not a manifest of a map.
    return [];
  }
}
