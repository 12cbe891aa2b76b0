/** The files of a table on the worker that reads them: artifacts, files where they lie, copies of remote ones. */
import { open, stat } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import type { Fetch, Table } from '@skein/data';
import { RemoteAccess } from '@skein/data/data-set';
import type { BuiltinContext } from '../../tasks/builtin.ts';
import type { JobTable } from '../job-table.ts';
import { inParallel, type RemoteCopy } from './copies.ts';

type Shard = JobTable['shards'][number];

/** Files whose beginnings are fetched at once. */
const AT_ONCE = 8;
/** Most footers of Parquet are smaller. */
const FOOTER_BYTES = 64 * 1024;
const TRAILER_BYTES = 8;
const MIB = 2 ** 20;

export interface Placed {
  readonly tables: Record<string, Table>;
  /** Fetches parts of the remote Parquet files. */
  readonly fetch: Fetch;
  /** Writes into the job's log how much was fetched. */
  readonly note: () => void;
}

/** @throws SkeinError FILE_UNREADABLE, SOURCE_CHANGED and others; all files of other formats are here then. */
export async function placedTables(
  tables: Readonly<Record<string, JobTable>>,
  context: BuiltinContext,
): Promise<Placed> {
  const copies = new Map<string, RemoteCopy>();
  const known: Record<string, Table> = {};
  for (const [name, { shards, addresses: _, access, ...table }] of Object.entries(tables)) {
    const isParquet = table.format === 'parquet';
    const files: string[] = [];
    let isPartial = false;
    const place = async ([index, shard]: readonly [number, Shard]): Promise<void> => {
      if (!('address' in shard)) return void (files[index] = await pathOf(shard, context));
      const copy = await context.remote(shard, access ?? RemoteAccess.parse({}));
      copies.set(copy.path, copy);
      files[index] = copy.path;
      if (isParquet) await needFooter(copy);
      else await copy.need([{ start: 0, end: copy.sizeBytes }]);
      isPartial ||= isParquet;
    };
    await inParallel([...shards.entries()], AT_ONCE, place);
    known[name] = { ...table, files, ...(isPartial ? { isPartial } : {}) };
  }
  return {
    tables: known,
    async fetch(ranges) {
      const all =
        ranges ?? [...copies].map(([file, { sizeBytes: end }]) => ({ file, start: 0, end }));
      const byFile = Map.groupBy(all, ({ file }) => file);
      const wanted = all.reduce((sum, { start, end }) => sum + end - start, 0);
      let received = 0;
      await inParallel([...byFile], AT_ONCE, async ([file, own]) => {
        await copies.get(file)?.need(own, (bytes) => {
          received += bytes;
          const sizes = `${Math.ceil(received / MIB)} of ${Math.ceil(wanted / MIB)} MiB`;
          context.progress(Math.min(1, received / wanted) * FETCHING, `fetching: ${sizes}`);
        });
      });
    },
    note() {
      if (copies.size === 0) return;
      const each = [...copies.values()];
      const here = each.reduce((sum, copy) => sum + copy.hereBytes(), 0);
      const all = each.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      context.log(`${here} of ${all} bytes of ${copies.size} remote files were fetched.`);
    },
  };
}

/** Share of the progress of a job with remote files; reading them is the rest. */
const FETCHING = 0.5;

async function pathOf(
  shard: Exclude<Shard, { address: string }>,
  { artifacts }: BuiltinContext,
): Promise<string> {
  if ('digest' in shard) return artifacts.pathOf(shard.digest);
  const { path, sizeBytes, modifiedMs } = shard;
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new SkeinError('FILE_UNREADABLE', `There is no file ${path}.`);
  if (found.size !== sizeBytes || found.mtimeMs !== modifiedMs) {
    throw new SkeinError('FILE_UNREADABLE', `${path} has changed since the map began.`);
  }
  return path;
}

/** The end of a Parquet file names its parts; DuckDB refuses a file without. */
async function needFooter(copy: RemoteCopy): Promise<void> {
  const { path, sizeBytes } = copy;
  const from = (bytes: number) => [{ start: Math.max(0, sizeBytes - bytes), end: sizeBytes }];
  // DuckDB reads the mark at the beginning, too.
  await copy.need([{ start: 0, end: Math.min(sizeBytes, 4) }, ...from(FOOTER_BYTES)]);
  const file = await open(path);
  const trailer = Buffer.alloc(TRAILER_BYTES);
  const place = Math.max(0, sizeBytes - TRAILER_BYTES);
  try {
    await file.read(trailer, 0, TRAILER_BYTES, place);
  } finally {
    await file.close();
  }
  await copy.need(from(Math.min(sizeBytes, trailer.readUInt32LE(0) + TRAILER_BYTES)));
}
