/**
 * A statement on both sides, in turn. DuckDB has the threads and the memory that the node's job gives to its
 * own DuckDB, and writes a file of the same format. The start of processes counts for neither side.
 */
import { rm, utimes } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { boundsOf } from '@skein/data';
import { assertSame, checkOf, viewsOf, type Check } from './duckdb.ts';
import type { Place } from './place.ts';
import type { Question } from './questions.ts';
import { copyTo } from './tables.ts';
import type { Tables } from './duckdb.ts';

export interface Round {
  readonly skeinMs: number;
  readonly duckdbMs: number;
}

export interface Versus {
  readonly place: Place;
  /** Where DuckDB writes and spills. */
  readonly folder: string;
  /** Memory of the job. */
  readonly memoryBytes: number;
  /** Whether DuckDB gets the settings that a memory of this size needs, which the node always has: else it cannot hold the rows. */
  readonly isTight?: boolean;
}

const TIGHT_BUFFER_BYTES = 4 * 2 ** 20;

/** @returns the rounds, and what both sides agree on. @throws Error where their rows differ. */
export async function versus(
  { place, folder, memoryBytes, isTight = false }: Versus,
  { sql, sums }: Question,
  tables: Tables,
  rounds: number,
): Promise<{ readonly rounds: readonly Round[]; readonly check: Check }> {
  const { duckdb, skein } = place;
  const target = join(folder, 'duckdb.parquet');
  const bounds = boundsOf({ cores: availableParallelism(), memoryBytes });
  const settings = {
    threads: String(bounds.threads),
    memory_limit: `${Math.floor(bounds.memoryBytes / 2 ** 20)}MiB`,
    temp_directory: join(folder, 'spilled'),
    ...(isTight ? { preserve_insertion_order: 'false' } : {}),
  };
  const views = viewsOf(tables, isTight ? TIGHT_BUFFER_BYTES : undefined);
  const statements = [...views, copyTo(sql, target, 'parquet')];
  const taken: Round[] = [];
  let check: Check | undefined;
  for (let round = 0; round < rounds; round++) {
    await renew(tables);
    let files: readonly string[] = [];
    let [skeinMs, duckdbMs] = [0, 0];
    const ours = async (): Promise<void> => {
      const answer = await skein.statement(sql, tables, { memoryBytes });
      ({ ms: skeinMs, files } = answer);
    };
    const theirs = async (): Promise<void> => {
      const begun = performance.now();
      await duckdb.ask({ settings, statements });
      duckdbMs = performance.now() - begun;
    };
    const sides = round % 2 === 0 ? [theirs, ours] : [ours, theirs];
    for (const side of sides) await side();
    taken.push({ skeinMs, duckdbMs });
    check = await checkOf(duckdb, [target], sums);
    assertSame(sql, check, await checkOf(duckdb, files, sums));
    await rm(target);
  }
  return { rounds: taken, check: check! };
}

/** Changed files: the node takes no result of an earlier round. */
export async function renew(tables: Tables): Promise<void> {
  const now = new Date();
  for (const path of Object.values(tables)) await utimes(path, now, now);
}

export const geometricMean = (ratios: readonly number[]): number =>
  Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
