/** The progress of a stage: by the bytes that its jobs have read, with their rate and the time left. */
import type { BuiltinContext } from '../tasks/builtin.ts';
import type { JobTable } from './job-table.ts';

const LOOK_EVERY_MS = 1000;
const MIB = 2 ** 20;

/** Bytes of the tables of a job. */
export function bytesRead({ tables = {} }: Readonly<Record<string, unknown>>): number {
  const known = tables as Readonly<Record<string, Pick<JobTable, 'shards' | 'bytes'>>>;
  return Object.values(known)
    .flatMap(({ shards, bytes }) =>
      bytes === undefined ? shards.map(({ sizeBytes }) => sizeBytes) : [bytes.to - bytes.from],
    )
    .reduce((sum, size) => sum + size, 0);
}

/**
 * Reports the progress of jobs while they run.
 * @param sizes bytes that each job reads.
 * @param run calls its argument once, with the ids of the jobs in the same order.
 */
export async function paced<T>(
  stage: string,
  sizes: readonly number[],
  { fractions, progress }: Pick<BuiltinContext, 'fractions' | 'progress'>,
  run: (follow: (ids: readonly string[]) => void) => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  const all = sizes.reduce((sum, size) => sum + size, 0);
  let looking: NodeJS.Timeout | undefined;
  const look = async (ids: readonly string[]): Promise<void> => {
    const found = await fractions(ids);
    const read = found.reduce((sum, fraction, index) => sum + fraction * sizes[index]!, 0);
    progress(all === 0 ? 0 : read / all, paceText(stage, read, all, performance.now() - begun));
  };
  try {
    return await run((ids) => {
      // A failed look is followed by another one.
      looking = setInterval(() => void look(ids).catch(() => undefined), LOOK_EVERY_MS);
    });
  } finally {
    clearInterval(looking);
  }
}

export function paceText(stage: string, read: number, all: number, elapsedMs: number): string {
  const mib = (bytes: number): number => Math.round(bytes / MIB);
  const sizes = `${stage}: ${mib(read)} of ${mib(all)} MiB`;
  const perSecond = (read / elapsedMs) * 1000;
  if (read === 0 || perSecond === 0) return sizes;
  return `${sizes}, ${mib(perSecond)} MiB/s, ${Math.ceil((all - read) / perSecond)} s left`;
}
