/** One node, one process of DuckDB and one folder of tables, over which rows are measured one after another. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup, RowOptions } from '../harness/row-group.ts';
import { startDuckDb, type DuckDb } from './duckdb.ts';
import { startSkein, type Skein } from './skein.ts';

export interface Place {
  readonly duckdb: DuckDb;
  readonly skein: Skein;
  /** Makes a folder for the tables of some rows. `remove` frees the disk for the next ones. */
  readonly folder: (name: string) => Promise<{ path: string; remove: () => Promise<void> }>;
}

export interface PlacedRows extends Pick<RowGroup, 'measures'> {
  measure(place: Place, options: RowOptions): ReturnType<RowGroup['measure']>;
}

/** Rows that share a place. */
export function placedRows(groups: readonly PlacedRows[]): RowGroup {
  return {
    measures: groups.flatMap(({ measures }) => measures),
    async measure(options) {
      const temporary = await temporaryFolder();
      const { path } = temporary;
      const closers = [() => temporary.remove()];
      try {
        const duckdb = startDuckDb();
        closers.unshift(duckdb.close);
        const skein = await startSkein(join(path, 'node'));
        closers.unshift(skein.close);
        const folder = async (name: string) => {
          const own = join(path, name);
          await mkdir(own);
          return { path: own, remove: () => rm(own, { recursive: true }) };
        };
        const results: Record<string, number> = {};
        const details: Record<string, unknown> = {};
        for (const group of groups) {
          const measured = await group.measure({ duckdb, skein, folder }, options);
          Object.assign(results, measured.results);
          Object.assign(details, measured.details);
        }
        return { results, details };
      } finally {
        for (const close of closers) await close();
      }
    },
  };
}
