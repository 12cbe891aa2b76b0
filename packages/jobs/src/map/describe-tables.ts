/** Gives the columns of tables their types, the same in all files: one of CSV without rows would be all text. */
import { commonColumns, whyAlone } from '@skein/data';
import { RemoteAccess } from '@skein/data/data-set';
import type { Tools } from './statement-tools.ts';
import type { JobTable } from './job-table.ts';
import { describe, list } from './statement-tasks.ts';

/** Replaces addresses by the files to which they lead. */
export async function listedTables(
  tables: Readonly<Record<string, JobTable>>,
  { run }: Tools,
): Promise<Record<string, JobTable>> {
  const known: Record<string, JobTable> = {};
  for (const [name, { addresses, ...table }] of Object.entries(tables)) {
    known[name] = table;
    if (addresses === undefined) continue;
    const access = table.access ?? RemoteAccess.parse({});
    const [files = []] = await run(`list ${name}`, list, [{ addresses, access }], false);
    known[name] = { ...table, shards: [...table.shards, ...files] };
  }
  return known;
}

/** Files whose beginnings are read to find the types of CSV. */
const SAMPLED = 8;

export async function describedTables(
  tables: Readonly<Record<string, JobTable>>,
  tools: Tools,
): Promise<Record<string, JobTable>> {
  const known: Record<string, JobTable> = {};
  for (const [name, table] of Object.entries(tables))
    known[name] = await described(name, table, tools);
  return known;
}

async function described(name: string, table: JobTable, tools: Tools): Promise<JobTable> {
  const { format, shards } = table;
  const { run, slots, pieceBytes } = tools;
  // Parquet has its types; DuckDB finds the types of a single file of JSON when it reads it.
  if (format === 'parquet' || shards.length < (format === 'csv' ? 1 : 2)) return table;
  const step = Math.max(1, Math.floor(shards.length / SAMPLED));
  const beginnings = shards.filter((_, index) => index % step === 0).slice(0, SAMPLED);
  const samples = format === 'csv' ? [beginnings] : shards.map((shard) => [shard]);
  const [shard, another] = shards;
  // A worker fetches a whole remote file, and stored shards are pieces already.
  const isToBeCut =
    format === 'csv' &&
    another === undefined &&
    'path' in shard! &&
    whyAlone(slots, shard.sizeBytes, pieceBytes) === undefined;
  const inputs = samples.map((chosen) => ({ table: { ...table, shards: chosen }, isToBeCut }));
  const found = await run(`describe ${name}`, describe, inputs, false);
  const columns =
    format === 'csv' ? found[0]?.columns : commonColumns(found.map((each) => each.columns));
  const all = { ...columns, ...table.columns };
  // A piece is read with all columns of the file by their names.
  const isNamed = sizeOf(all) === sizeOf(found[0]?.columns ?? {});
  const form = isNamed ? found[0]?.form : undefined;
  return { ...table, columns: all, dates: found[0]?.dates, form };
}

const sizeOf = (columns: Readonly<Record<string, string>>): number => Object.keys(columns).length;
