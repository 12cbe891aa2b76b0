/**
 * Cuts a Parquet file into smaller ones, between its row groups where they are small enough, else
 * between rows: what a row group holds is compressed together, so each piece is written anew.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngines } from './engine/engines.ts';
import { boundsOf } from './engine/memory.ts';
import type { RowGroup } from './engine/queries.ts';

/** A range of rows of a file, end exclusive. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

export interface ParquetPiece {
  /** The file exists until the next piece is asked for. */
  readonly file: string;
  readonly index: number;
  readonly count: number;
}

/**
 * The file itself when it is not larger than one piece.
 * @param options.resources what DuckDB may use.
 * @param options.scratch a folder with space for one piece; the caller removes it.
 * @throws SkeinError SQL_INVALID for a file that is not Parquet, MEMORY_SHORT.
 */
export async function* cutParquet(
  file: string,
  pieceBytes: number,
  options: {
    readonly resources: { readonly cores: number; readonly memoryBytes: number };
    readonly scratch: string;
  },
): AsyncGenerator<ParquetPiece> {
  const { resources, scratch } = options;
  const bounds = boundsOf(resources);
  const files = [file];
  const engines = openEngines();
  const ask = engines.of('');
  try {
    const { value } = await ask('rowGroups', { files, bounds, scratch });
    const ranges = cutRows(value[0] ?? [], pieceBytes);
    const count = Math.max(1, ranges.length);
    if (count === 1) return void (yield { file, index: 0, count });
    for (const [index, rows] of ranges.entries()) {
      const folder = join(scratch, `rows-${index}`);
      await mkdir(folder);
      const tables = { data: { files, format: 'parquet', rows } } as const;
      const target = { sql: 'FROM data', format: 'parquet', folder } as const;
      const { value: written } = await ask('statement', { tables, ...target, bounds, scratch });
      yield { file: written.files[0]![0]!, index, count };
      await rm(folder, { recursive: true, force: true });
    }
  } finally {
    await engines[Symbol.asyncDispose]();
  }
}

/** Ranges of about the size, in order, that have every row once. */
export function cutRows(groups: readonly RowGroup[], pieceBytes: number): RowRange[] {
  const ranges: RowRange[] = [];
  let at = 0;
  let from = 0;
  let held = 0;
  const close = (to: number): void => {
    if (to > from) ranges.push({ from, to });
    from = to;
    held = 0;
  };
  for (const { rows, sizeBytes } of groups) {
    const parts = Math.floor(sizeBytes / pieceBytes);
    if (parts < 2) {
      held += sizeBytes;
      if (held >= pieceBytes) close(at + rows);
    } else {
      close(at);
      for (let part = 1; part <= parts; part++) close(at + Math.round((rows * part) / parts));
    }
    at += rows;
  }
  close(at);
  return ranges;
}
