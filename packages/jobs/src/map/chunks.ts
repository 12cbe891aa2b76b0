/** Cuts tables into pieces that jobs share: between files, and within Parquet files between their rows. */
import { cutRecords, evenRanges } from '@skein/data/cut-csv';
import type { RowRange } from '@skein/data/cut-parquet';
import { cutRows } from '@skein/data/cut-parquet';
import type { JobTable } from './job-table.ts';
import { scan } from './statement-tasks.ts';
import type { Tools } from './statement-tools.ts';

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
  const pieceBytes = bytesOfPiece(table, slots, leastBytes);
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

function bytesOfPiece({ shards }: JobTable, slots: number, leastBytes: number): number {
  const all = shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return Math.max(leastBytes, all / (slots * PER_SLOT));
}

/**
 * Cuts a table of one CSV file, which has a form, between its records.
 * @returns undefined where a quote in it is neither around a value nor doubled in one.
 */
export async function cutCsv(
  name: string,
  table: JobTable,
  { run, slots, pieceBytes }: Pick<Tools, 'run' | 'slots' | 'pieceBytes'>,
): Promise<JobTable[] | undefined> {
  const { sizeBytes } = table.shards[0]!;
  const ranges = evenRanges(sizeBytes, bytesOfPiece(table, slots, pieceBytes));
  const perJob = Math.ceil(ranges.length / slots);
  const inputs = ranges
    .filter((_, index) => index % perJob === 0)
    .map((_, index) => ({ table, ranges: ranges.slice(index * perJob, (index + 1) * perJob) }));
  const scans = (await run(`scan ${name}`, scan, inputs, false)).flat();
  return cutRecords(scans, sizeBytes, table.csv?.header !== false)?.map((bytes) => ({
    ...table,
    bytes,
  }));
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
