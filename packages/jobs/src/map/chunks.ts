/** Cuts tables into pieces that jobs share: between files, and within Parquet files between their rows. */
import type { RowRange } from '@skein/data/cut-parquet';
import { cutRows } from '@skein/data/cut-parquet';
import type { JobTable } from './job-table.ts';

/** Pieces for each job that runs at once: what one is late, others make up. */
const PER_SLOT = 3;

/** Rows and bytes of the row groups of a file. */
type Groups = readonly (readonly [rows: number, sizeBytes: number])[];

/**
 * @param leastBytes smaller pieces would take less time than their jobs.
 * @param groups of each Parquet file; undefined for other formats.
 */
export function cutTable(
  table: JobTable,
  slots: number,
  leastBytes: number,
  groups: readonly Groups[] | undefined,
): JobTable[] {
  const all = table.shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const pieceBytes = Math.max(leastBytes, all / (slots * PER_SLOT));
  const pieces: JobTable[] = [];
  let held: JobTable['shards'] = [];
  let bytes = 0;
  const close = (): void => {
    if (held.length > 0) pieces.push({ ...table, shards: held });
    held = [];
    bytes = 0;
  };
  for (const [index, shard] of table.shards.entries()) {
    const ranges = rangesOf(groups?.[index], pieceBytes);
    if (ranges.length > 1) {
      close();
      for (const rows of ranges) pieces.push({ ...table, shards: [shard], rows });
      continue;
    }
    held = [...held, shard];
    bytes += shard.sizeBytes;
    if (bytes >= pieceBytes) close();
  }
  close();
  return pieces;
}

/** Each file as a piece: what other files there are makes no difference to its job. */
export const byFile = (table: JobTable): JobTable[] =>
  table.shards.map((shard) => ({ ...table, shards: [shard] }));

function rangesOf(groups: Groups | undefined, pieceBytes: number): readonly RowRange[] {
  if (groups === undefined) return [];
  return cutRows(
    groups.map(([rows, sizeBytes]) => ({ rows, sizeBytes })),
    pieceBytes,
  );
}
