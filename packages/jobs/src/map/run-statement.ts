/** Runs a statement over tables by its plan: as one job, or as stages of jobs. */
import { identifier, planStatement, whyAlone, type Plan } from '@skein/data';
import type { Piece } from '@skein/data/data-set';
import { runStages } from './run-stages.ts';
import type { StatementInput } from './stage-jobs.ts';
import type { JobTable } from './job-table.ts';
import { statement, parts } from './statement-tasks.ts';
import { into, PART, type StatementOver, type Tools } from './statement-tools.ts';

/** @returns the shards of its rows; undefined where it only plans. */
export async function runStatement(
  given: StatementOver,
  tools: Tools,
): Promise<readonly Piece[] | undefined> {
  const plan = await planOf(given, tools);
  const result = plan.kind === 'one' ? plan : await runStages(plan, given, tools);
  if (result.kind === 'rows') return result.shards;
  if (result.kind === 'explained') return undefined;
  tools.plan.push(`one statement on one worker: ${result.why}`);
  return given.explain ? undefined : runAlone(given, tools);
}

async function runAlone(
  { sql, tables, group, format, folders }: StatementOver,
  { run }: Tools,
): Promise<readonly Piece[]> {
  const views = group === undefined ? [] : [[PART, sql] as [string, string]];
  const input: StatementInput = { tables, views, sql: group?.sql ?? sql, format, ...into(folders) };
  const [done] = await run('statement', statement, [input]);
  return done!.pieces.flat();
}

const bytesOf = ({ shards }: JobTable): number =>
  shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

async function planOf(given: StatementOver, tools: Tools): Promise<Plan> {
  const { sql, tables, group } = given;
  const { ask, slots, memoryBytes, pieceBytes, isByFile, run } = tools;
  const why = whyAlone(
    slots,
    Object.values(tables).reduce((sum, table) => sum + bytesOf(table), 0),
    pieceBytes,
  );
  // Most statements end here, and need no tree.
  if (why !== undefined && !isByFile) return { kind: 'one', why };
  const { statement: tree, aggregates } = await ask('parse', sql);
  const names = Object.keys(tables);
  const statements = names.map((name) => `FROM ${identifier(name)}`);
  const [found] = await run('columns', parts, [{ tables, cut: [], statements }], false);
  const facts = names.map((name, index) => {
    const columns = Object.fromEntries(found!.types[index] ?? []);
    const table = tables[name]!;
    const isCuttable = table.format === 'parquet' || table.form !== undefined;
    const canBeCut = (isCuttable && !isByFile) || table.shards.length > 1;
    return [name, { sizeBytes: bytesOf(table), columns, canBeCut }] as const;
  });
  const plan = planStatement({
    statement: tree,
    aggregates: new Set(aggregates),
    tables: Object.fromEntries(facts),
    slots,
    memoryBytes,
    pieceBytes,
    isByFile,
  });
  const isSimple = plan.kind === 'one' || (plan.merge === undefined && plan.finish === undefined);
  if (group === undefined || isSimple) return plan;
  return { kind: 'one', why: 'the rows that are brought together are grouped or ordered before' };
}
