/** A function over the rows of a statement, as jobs: each takes the batches of one piece of the rows. */
import type { NewJobInput } from '@skein/api';
import type { Piece } from '@skein/data/data-set';
import type { BuiltinContext } from '../../tasks/builtin.ts';
import { paced } from '../pace.ts';
import { pieceOf, runAll } from '../run-all.ts';
import { functionJob, type FunctionWork, type JobFrame } from '../stage-jobs.ts';
import { cutLines } from './json-lines.ts';

/** Rows of a job, as JSON lines: a function takes longer for them than its job takes to begin. */
const PIECE_BYTES = 16 * 2 ** 20;

/** @returns JSON lines; without pieces that have no rows. */
export async function mapFunction(
  work: FunctionWork,
  rows: readonly Piece[],
  frame: JobFrame,
  context: BuiltinContext,
): Promise<Piece[]> {
  const cut: (Piece & { readonly from: number; readonly to: number })[] = [];
  for (const piece of rows) {
    const path = await context.artifacts.pathOf(piece.digest);
    for (const lines of await cutLines(path, PIECE_BYTES)) cut.push({ ...piece, ...lines });
  }
  const jobs = cut.map((piece, index): NewJobInput =>
    functionJob(frame, work, piece, [index, cut.length]),
  );
  const sizes = cut.map(({ from, to }) => to - from);
  const done = await paced('map', sizes, context, (follow) => runAll(context, jobs, [], follow));
  return done.map(pieceOf).filter(({ sizeBytes }) => sizeBytes > 0);
}
