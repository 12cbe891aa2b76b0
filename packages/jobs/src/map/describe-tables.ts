/** Gives the columns of tables their types, the same in all files: one of CSV without rows would be all text. */
import { commonColumns } from '@skein/data';
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

async function described(name: string, table: JobTable, { run }: Tools): Promise<JobTable> {
  const { format, shards } = table;
  // Parquet has its types; DuckDB finds the types of a single file of JSON when it reads it.
  if (format === 'parquet' || shards.length < (format === 'csv' ? 1 : 2)) return table;
  const step = Math.max(1, Math.floor(shards.length / SAMPLED));
  const beginnings = shards.filter((_, index) => index % step === 0).slice(0, SAMPLED);
  const samples = format === 'csv' ? [beginnings] : shards.map((shard) => [shard]);
  const inputs = samples.map((chosen) => ({ table: { ...table, shards: chosen } }));
  const found = await run(`describe ${name}`, describe, inputs, false);
  const columns =
    format === 'csv' ? found[0]?.columns : commonColumns(found.map((each) => each.columns));
  return { ...table, columns: { ...columns, ...table.columns }, dates: found[0]?.dates };
}
