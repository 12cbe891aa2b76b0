/**
 * Training on several threads of one process. The calling thread is the leader and computes too;
 * each other rank is a worker thread. Shared memory holds the data of all: rows, parameters, the
 * optimiser's state, and the gradients of each rank.
 */
import { startThread, withWorker } from '@skein/calls';
import { nativeBackend } from '../../run/native-backend.ts';
import type { StepSession } from '../../step/step-session.ts';
import { RankLost, share } from '../collective.ts';
import type { GradientStep } from '../gradient-step.ts';
import { lead, type Dealing, type GroupOptions } from '../group.ts';
import { planFor } from '../ranks.ts';
import { sharedCollective, sharedMemory } from './shared-collective.ts';
import { sharedDataset } from './shared-dataset.ts';
import type { RankCalls, ThreadRank } from './thread-rank.ts';

export interface ThreadsOptions extends Dealing, Omit<GroupOptions, 'backend'> {
  /** Ranks in all, the calling thread included. */
  readonly workers: number;
  /** Milliseconds after which a thread that does not arrive counts as lost; default 10 minutes. */
  readonly timeoutMs?: number;
}

/** The leader evaluates and saves checkpoints while the other ranks wait. */
const PATIENCE_MS = 600_000;

/**
 * Opens a step session that computes on all threads; the native backend alone can.
 *
 * @param step made of a model for `rowsPerRank(batch, workers, accumulate)` rows.
 * @throws TrainError `model` when it is for another number of rows, `data` when rows do not come out even.
 */
export async function openThreads(
  step: GradientStep,
  options: ThreadsOptions,
): Promise<StepSession> {
  const { workers: size, timeoutMs = PATIENCE_MS, data, batch, accumulate, mask, seed } = options;
  // By name, because all of it is sent to threads.
  const { threads: inner = 1, local, compression, checkpointEvery } = options;
  const rest = { threads: inner, local, compression, checkpointEvery };
  const memory = sharedMemory(size);
  const shared = sharedDataset(data);
  const dealing: Dealing = { data, batch, accumulate, mask, seed };
  const collective = sharedCollective(memory, { rank: 0, size, timeoutMs });
  const planOf = (rank: number) =>
    planFor(
      { rank, size, overlap: 'none', part: (length) => share(length, rank, size) },
      step,
      dealing,
      { ...rest, backend: nativeBackend },
    );
  // The leader allocates all memory, so it starts first.
  const session = await lead(collective, planOf(0), dealing, {
    ...rest,
    backend: nativeBackend,
    initial: step.initial,
  });
  const reasons = new Map<number, Error>();
  const threads = Array.from({ length: size - 1 }, (_, i) => {
    const rank = i + 1;
    const data: ThreadRank = {
      memory,
      place: { rank, size, timeoutMs },
      plan: planOf(rank),
      dealing: { batch, accumulate, mask, seed, data: shared },
      options: rest,
    };
    const thread = startThread<RankCalls>(ENTRY, { name: `rank ${rank}`, native: true });
    const followed = withWorker(thread, ({ call }) => call('follow', data));
    return followed.catch((error: Error) => {
      reasons.set(rank, error);
      collective.breakFor(rank);
    });
  });
  return {
    ...session,
    async step(parts, learningRate, at) {
      try {
        return await session.step(parts, learningRate, at);
      } catch (error) {
        throw explained(error, reasons);
      }
    },
    async close() {
      try {
        await session.close();
      } finally {
        await Promise.all(threads);
      }
    },
  };
}

const ENTRY = new URL('./thread-rank.ts', import.meta.url);

/** Reports why a thread has stopped, when it sent a reason. */
function explained(error: unknown, reasons: ReadonlyMap<number, Error>): unknown {
  if (!(error instanceof RankLost)) return error;
  const reason = reasons.get(error.rank);
  if (reason === undefined) return error;
  return new RankLost(error.rank, `has stopped: ${reason.message}`, { cause: reason });
}
