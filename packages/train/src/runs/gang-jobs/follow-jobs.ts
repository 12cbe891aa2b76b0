/**
 * Follows the ranks of a training to their end: the progress of rank 0, and the reason of every
 * ended attempt.
 */
import type { JobView } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';

/** Bytes of the end of a log that are shown. */
const LAST_WORDS = 2000;

interface Following {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** The state of the ranks, in words. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** How far rank 0 is: a share from 0 to 1, and words. */
  readonly onProgress?: ((fraction: number, message: string) => void) | undefined;
}

/**
 * @returns the succeeded job of rank 0.
 * @throws SkeinError TRAINING_RANK_LOST when a rank fails for good, with the end of its log.
 */
export async function followJobs(
  ranks: readonly JobView[],
  { client, signal, onNote, onProgress }: Following,
): Promise<JobView> {
  const leave = new AbortController();
  const events = client.jobEvents(
    { group: ranks[0]!.group! },
    { signal: AbortSignal.any([signal, leave.signal]), lastEventId: 0 },
  );
  const rankOf = new Map(ranks.map((job) => [job.id, job.gang!.rank]));
  const open = new Set(rankOf.keys());
  try {
    for await (const { job, kind, state, cause, progress } of events) {
      const rank = rankOf.get(job);
      if (rank === undefined) continue;
      if (kind === 'progress' && rank === 0 && progress !== undefined) {
        onProgress?.(progress.fraction, progress.message);
      }
      if (kind !== 'state') continue;
      if (cause !== undefined) onNote?.(`Rank ${rank} is ${state}: ${cause}.`);
      if (state === 'failed' || state === 'dead' || state === 'cancelled') {
        throw new SkeinError('TRAINING_RANK_LOST', await wordsOf(client, job, rank));
      }
      if (state === 'succeeded') open.delete(job);
      if (open.size === 0) break;
    }
    signal.throwIfAborted();
    return await client.getJob({ id: ranks[0]!.id });
  } finally {
    leave.abort();
  }
}

async function wordsOf(client: Client, id: string, rank: number): Promise<string> {
  const [job, log] = await Promise.all([client.getJob({ id }), client.readJobLog({ id })]);
  const lastWords = log.text.slice(-LAST_WORDS).trim();
  return `Rank ${rank}, job ${id}, has failed for good: ${job.message ?? job.state}.${lastWords === '' ? '' : `\n${lastWords}`}`;
}
