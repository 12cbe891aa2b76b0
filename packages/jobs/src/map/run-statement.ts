/** Runs a statement over tables by its plan: as one job, or as stages of jobs. */
import { identifier, planStatement, whyAlone, type Ask, type Plan } from '@skein/data';
import type { DataFormat, Piece } from '@skein/data/data-set';
import type { z } from 'zod';
import type { Builtin } from '../tasks/builtin.ts';
import { runStages } from './run-stages.ts';
import { statement, parts, type JobTable } from './statement-tasks.ts';
import type { MapInput } from './map-input.ts';
import type { StatementInput } from './stage-jobs.ts';

export interface Tools {
  /** Jobs that run at once. */
  readonly slots: number;
  /** Memory of a job. */
  readonly memoryBytes: number;
  /** The least that is worth a job of its own. */
  readonly pieceBytes: number;
  /** Receives what is done, and why. */
  readonly plan: string[];
  readonly ask: Ask;
  /** Runs a job for each input, behind the jobs of the call before. @returns what they returned, in order. */
  readonly run: <I extends z.ZodType, O extends z.ZodType>(
    stage: string,
    task: Builtin<I, O>,
    inputs: readonly Readonly<Record<string, unknown>>[],
    isShown?: boolean,
  ) => Promise<z.output<O>[]>;
}

export interface StatementOver {
  readonly sql: string;
  readonly tables: Readonly<Record<string, JobTable>>;
  readonly group: MapInput['group'];
  readonly format: DataFormat;
  /** Only plans. */
  readonly explain: boolean;
}

/** The view of a statement over rows that are brought together. */
export const PART = 'part';

/** @returns the shards of its rows; undefined where it only plans. */
export async function runStatement(
  given: StatementOver,
  tools: Tools,
): Promise<readonly Piece[] | undefined> {
  const plan = await planOf(given, tools);
  if (plan.kind === 'one') {
    tools.plan.push(`one statement on one worker: ${plan.why}`);
    return given.explain ? undefined : runAlone(given, tools);
  }
  return runStages(plan, given, tools);
}

async function runAlone(
  { sql, tables, group, format }: StatementOver,
  { run }: Tools,
): Promise<readonly Piece[]> {
  const views = group === undefined ? [] : [[PART, sql] as [string, string]];
  const input: StatementInput = { tables, views, sql: group?.sql ?? sql, format };
  const [done] = await run('statement', statement, [input]);
  return done!.pieces.flat();
}

const bytesOf = ({ shards }: JobTable): number =>
  shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

async function planOf(given: StatementOver, tools: Tools): Promise<Plan> {
  const { sql, tables, group } = given;
  const { ask, slots, memoryBytes, pieceBytes, run } = tools;
  const why = whyAlone(
    slots,
    Object.values(tables).reduce((sum, table) => sum + bytesOf(table), 0),
    pieceBytes,
  );
  // Most statements end here, and need no tree.
  if (why !== undefined) return { kind: 'one', why };
  const { statement: tree, aggregates } = await ask('parse', sql);
  const names = Object.keys(tables);
  const statements = names.map((name) => `FROM ${identifier(name)}`);
  const [found] = await run('columns', parts, [{ tables, cut: [], statements }], false);
  const facts = names.map((name, index) => {
    const columns = Object.fromEntries(found!.types[index] ?? []);
    const table = tables[name]!;
    const canBeCut = table.format === 'parquet' || table.shards.length > 1;
    return [name, { sizeBytes: bytesOf(table), columns, canBeCut }] as const;
  });
  const plan = planStatement({
    statement: tree,
    aggregates: new Set(aggregates),
    tables: Object.fromEntries(facts),
    slots,
    memoryBytes,
    pieceBytes,
  });
  const isSimple = plan.kind === 'one' || (plan.merge === undefined && plan.finish === undefined);
  if (group === undefined || isSimple) return plan;
  return { kind: 'one', why: 'the rows that are brought together are grouped or ordered before' };
}
