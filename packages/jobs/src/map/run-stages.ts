/**
 * The stages of a plan as jobs. Between stages rows travel as Parquet, which has no integers of 128
 * bits: those travel as decimals, and the last statement gives all columns the types of the given one.
 */
import { identifier, type Stages } from '@skein/data';
import type { Piece } from '@skein/data/data-set';
import { byFile, cutCsv, cutTable } from './chunks.ts';
import { into, PART, type StatementOver, type Tools } from './statement-tools.ts';
import type { StatementInput } from './stage-jobs.ts';
import type { JobTable } from './job-table.ts';
import { parts, statement } from './statement-tasks.ts';

type Types = readonly (readonly [name: string, type: string])[];
/** Files of the rows of a stage, by partition. */
type Rows = readonly (readonly Piece[])[];

interface Groups {
  readonly sql: string;
  readonly keys: readonly string[];
}

/** Rows of a partition are read into the memory of one job; Parquet is a third of them or less. */
const PARTITION_SHARE = 1 / 8;

/** `one`: the whole statement is to run on one worker. */
export type Staged =
  | { readonly kind: 'rows'; readonly shards: readonly Piece[] }
  | { readonly kind: 'explained' }
  | { readonly kind: 'one'; readonly why: string };

export async function runStages(plan: Stages, given: StatementOver, tools: Tools): Promise<Staged> {
  const { sql, tables, group, explain } = given;
  const output = { format: given.format, ...into(given.folders) };
  const between = { format: 'parquet' } as const;
  const { run, plan: lines } = tools;
  const trees = [
    plan.each,
    ...(plan.merge === undefined ? [] : [plan.merge.sql]),
    ...(plan.finish === undefined ? [] : [plan.finish]),
  ];
  const texts = await tools.ask('texts', trees);
  const [each = ''] = texts;
  const merge: Groups | undefined =
    group === undefined
      ? plan.merge && { sql: texts[1]!, keys: plan.merge.keys }
      : { sql: group.sql, keys: group.by };
  const finish = plan.finish === undefined ? undefined : texts.at(-1)!;
  const names = plan.shuffles?.map((shuffle) => shuffle.table) ?? [plan.table];
  const cut = names.filter((name) => tables[name]!.format === 'parquet');
  const statements = [sql, each, ...names.map((name) => `FROM ${identifier(name)}`)];
  const [found] = await run('parts', parts, [{ tables, cut, statements }], false);
  const [shown, partial, ...columns] = found!.types;
  // DuckDB has means of times, for example, and no sums of them.
  if (!shown || !partial) return { kind: 'one', why: 'DuckDB refuses its stages' };
  const pieces = new Map<string, readonly JobTable[]>();
  for (const name of names) {
    const table = tables[name]!;
    const { slots, pieceBytes, isByFile } = tools;
    if (isByFile) pieces.set(name, byFile(table));
    else if (table.form === undefined) {
      pieces.set(name, cutTable(table, slots, pieceBytes, found!.groups[name]));
    } else {
      const cutHere = await cutCsv(name, table, tools);
      if (cutHere === undefined) return { kind: 'one', why: `${name} has quotes inside values` };
      pieces.set(name, cutHere);
    }
  }
  lines.push(`in stages: ${plan.why}`);
  for (const [name, { length }] of pieces) {
    if (tables[name]!.form !== undefined)
      lines.push(`cut: one CSV file, ${name}, between its records into ${length} pieces`);
  }
  for (const { table, keys } of plan.shuffles ?? []) {
    lines.push(`shuffle: ${pieces.get(table)!.length} pieces of ${table} by ${keys.join(', ')}`);
  }
  const isSpread = merge !== undefined && merge.keys.length > 0;
  const partitions = partitionsOf(tables, names, tools);
  const count = plan.shuffles === undefined ? pieces.get(plan.table)!.length : partitions;
  lines.push(`each of ${count} parts: ${each}`);
  if (merge !== undefined) lines.push(`merge ${isSpread ? partitions : 1} parts: ${merge.sql}`);
  if (finish !== undefined) lines.push(`finish: ${finish}`);
  if (explain) return { kind: 'explained' };

  const typesOf = (name: string): Types => columns[names.indexOf(name)] ?? [];
  const shuffled = new Map<string, Rows>();
  for (const { table, keys, columns: used } of plan.shuffles ?? []) {
    const chosen =
      used === undefined ? '*' : [...new Set([...keys, ...used])].map(identifier).join(', ');
    const by = { keys: castTo(keys, typesOf(table)), partitions };
    const query = travelling(
      `SELECT ${chosen} FROM ${identifier(table)}`,
      typesOf(table).filter(([name]) => used === undefined || used.includes(name)),
    );
    const inputs = pieces.get(table)!.map((piece): StatementInput => ({
      tables: { [table]: piece },
      sql: query,
      format: 'parquet',
      by,
    }));
    shuffled.set(table, byPartition(await run(`shuffle ${table}`, statement, inputs), partitions));
  }

  const over =
    plan.shuffles === undefined
      ? pieces.get(plan.table)!.map((piece) => ({ ...tables, [plan.table]: piece }))
      : partitionTables(plan.table, tables, shuffled);
  const isLast = merge === undefined && finish === undefined;
  const by = isSpread ? { keys: castTo(merge.keys, partial), partitions } : undefined;
  const inputs = over.map((own): StatementInput => ({
    tables: own,
    sql: isLast ? each : travelling(each, partial),
    by,
    ...(isLast ? output : between),
  }));
  let rows = byPartition(await run('part', statement, inputs), isSpread ? partitions : 1);
  if (merge !== undefined) {
    const last = finish === undefined;
    const typed = group === undefined ? withTypes(merge.sql, shown, last) : merge.sql;
    rows = await overParts(rows, typed, last ? output : between, 'merge', tools);
  }
  // Only a file of one worker has the columns of no rows.
  if (rows.flat().length === 0) return { kind: 'one', why: 'no group is left' };
  if (finish !== undefined) {
    const all = [rows.flat()];
    rows = await overParts(all, withTypes(finish, shown, true), output, 'finish', tools);
  }
  return { kind: 'rows', shards: rows.flat() };
}

function partitionsOf(
  tables: StatementOver['tables'],
  names: readonly string[],
  { slots, memoryBytes, isByFile }: Tools,
): number {
  const bytes = names
    .flatMap((name) => tables[name]!.shards)
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const count = Math.max(2 * slots, Math.ceil(bytes / (memoryBytes * PARTITION_SHARE)));
  // Rows of kept results are in as many partitions, until there are twice as many.
  return Math.min(512, isByFile ? 2 ** Math.ceil(Math.log2(count)) : count);
}

/** A statement over the view `part` for each partition that has rows. */
async function overParts(
  rows: Rows,
  sql: string,
  output: Pick<StatementInput, 'format' | 'folders'>,
  stage: string,
  { run }: Tools,
): Promise<Rows> {
  const inputs = rows
    .filter((pieces) => pieces.length > 0)
    .map((shards): StatementInput => ({
      tables: { [PART]: { format: 'parquet', shards: [...shards] } },
      sql,
      ...output,
    }));
  return (await run(stage, statement, inputs)).map(({ pieces }) => pieces.flat());
}

function byPartition(done: readonly { readonly pieces: Rows }[], partitions: number): Rows {
  return Array.from({ length: partitions }, (_, at) =>
    done.flatMap(({ pieces }) => pieces[at] ?? []),
  );
}

/** The tables of each partition; one without rows of the largest table has no result. */
function partitionTables(
  largest: string,
  tables: StatementOver['tables'],
  shuffled: ReadonlyMap<string, Rows>,
): Record<string, JobTable>[] {
  const own = shuffled.get(largest)!;
  const filled = own.flatMap((pieces, at) => (pieces.length > 0 ? [at] : []));
  // A statement that counts has a row for no rows, too.
  if (filled.length === 0) return [{ ...tables }];
  return filled.map((at) => {
    const parted: Record<string, JobTable> = { ...tables };
    for (const [name, rows] of shuffled) {
      const [any] = rows.flat();
      const pieces = rows[at]!;
      // A table of the same columns without rows.
      if (pieces.length === 0 && any !== undefined) {
        parted[name] = { format: 'parquet', shards: [any], rows: { from: 0, to: 0 } };
      } else if (pieces.length > 0) parted[name] = { format: 'parquet', shards: [...pieces] };
    }
    return parted;
  });
}

/** Keys as expressions of the type that they have in all pieces together: equal values of two types have two hashes. */
function castTo(keys: readonly string[], types: Types): string[] {
  return keys.map((key) => {
    const type = types.find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1];
    return type === undefined ? identifier(key) : `CAST(${identifier(key)} AS ${type})`;
  });
}

const isHuge = (type: string): boolean => type === 'HUGEINT' || type === 'UHUGEINT';

function travelling(sql: string, types: Types): string {
  const huge = types.filter(([, type]) => isHuge(type));
  if (huge.length === 0) return sql;
  const casts = huge.map(
    ([name]) => `CAST(${identifier(name)} AS DECIMAL(38, 0)) AS ${identifier(name)}`,
  );
  return `SELECT * REPLACE (${casts.join(', ')}) FROM (${sql})`;
}

/** The statement with the names and types that the given one has; until the last, integers of 128 bits travel as decimals. */
function withTypes(sql: string, types: Types, isLast: boolean): string {
  const names = types.map((_, index) => `c${index}`);
  const chosen = types.map(([name, type], index) => {
    const wanted = isHuge(type) && !isLast ? 'DECIMAL(38, 0)' : type;
    return `CAST(c${index} AS ${wanted}) AS ${identifier(name)}`;
  });
  return `SELECT ${chosen.join(', ')} FROM (${sql}) AS t(${names.join(', ')})`;
}
