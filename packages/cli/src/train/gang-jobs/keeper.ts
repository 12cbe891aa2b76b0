/**
 * Copies of the leader's run with every member of a gang of jobs. A job that fails gets its files
 * back at its next attempt; a job that is stopped because another member failed does not. So the
 * member that fails first must have the run, and at the start the rank with the most steps gives
 * its copy to the leader.
 *
 * The copies use a ring of their own beside the one that trains, so that a rank receives a copy at
 * any time.
 */
import {
  gatherBytes,
  joinRing,
  RankLost,
  type Collective,
  type RingOptions,
} from '@skein/train/parallel';
import { keptRun, packRun, unpackRun } from './kept-run.ts';

export interface Keeper {
  /** Gives every rank a copy of the run in this folder; for the leader. */
  give(run: { readonly id: string; readonly path: string }): Promise<void>;
  /** Receives copies until the leader ends. */
  take(): Promise<void>;
  close(): Promise<void>;
}

/** Longer than any time between two checkpoints. */
const FOREVER_MS = 2 ** 31 - 1;
const NOTHING = new Uint8Array(0);

/**
 * Joins the other ranks, and gives the run with the most steps to the leader.
 * @throws RankLost naming the rank that has not arrived.
 */
export async function openKeeper(
  gang: Omit<RingOptions, 'plan'>,
  dataFolder: string,
): Promise<Keeper> {
  const collective = await joinRing({ ...gang, plan: 'copies of a run', timeoutMs: FOREVER_MS });
  await bringFurthest(collective, dataFolder);
  return {
    async give({ id, path }) {
      const run = await packRun(path, id);
      await gatherBytes(collective, run?.bytes ?? NOTHING);
    },
    async take() {
      try {
        for (;;) {
          const [leaders = NOTHING] = await gatherBytes(collective, NOTHING);
          if (leaders.byteLength > 0) await unpackRun(dataFolder, leaders);
        }
      } catch (error) {
        // The leader has ended, or the ring that trains notices the loss too.
        if (!(error instanceof RankLost)) throw error;
        await collective.close(error);
      }
    },
    close: () => collective.close(),
  };
}

async function bringFurthest(collective: Collective, dataFolder: string): Promise<void> {
  const own = await keptRun(dataFolder);
  const steps = collective.own('float64', 1);
  steps[0] = own?.steps ?? -1;
  const all = (await collective.gather(steps, 1)).map(([each = -1]) => each);
  // The first of the ranks with the most steps: the leader keeps its own run when it is one of them.
  const furthest = all.indexOf(Math.max(...all));
  if (furthest === 0) return;
  const { rank } = collective;
  const given = await gatherBytes(collective, rank === furthest ? own!.bytes : NOTHING);
  if (rank === 0) await unpackRun(dataFolder, given[furthest]!);
}
