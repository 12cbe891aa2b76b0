/**
 * Training that survives the loss of workers: when a rank is lost, the remaining ranks and
 * restarted ones rendezvous again and resume from the last checkpoint with the ranks that have
 * arrived. A lost worker costs the steps since that checkpoint and the time of the rendezvous, not
 * the run.
 *
 *   rendezvous → working → done
 *        ↑           ↓ a rank is lost
 *        └───────────┘
 *
 * The leader cannot be lost, because it holds the checkpoint. While it evaluates it does not notice
 * a lost rank, so the other ranks keep calling it for as long as they would wait for its messages.
 * When it does not answer within that time they give up, and a restart of the gang resumes from the
 * checkpoint.
 */
import { RankLost, type Collective } from '../collective.ts';
import { joinRing, PATIENCE_MS, type RingOptions } from './rendezvous.ts';

export interface Elasticity {
  /** Milliseconds that the leader waits for ranks at a new rendezvous; default 10 000. */
  readonly regroupMs?: number;
  /** Smallest number of ranks to resume with; default 1. */
  readonly least?: number;
  /** Called before a new rendezvous. */
  readonly onLost?: (lost: RankLost) => void;
}

const REGROUP_MS = 10_000;

/**
 * @param work trains with the ranks of the ring; called again, from the last checkpoint, when one is lost.
 * @throws RankLost when too few ranks arrive, or the leader does not.
 */
export async function elastic<T>(
  ring: RingOptions,
  work: (collective: Collective) => Promise<T>,
  { regroupMs = REGROUP_MS, least = 1, onLost }: Elasticity = {},
): Promise<T> {
  const { rank, timeoutMs = PATIENCE_MS } = ring;
  const again = rank === 0 ? { arrivalMs: regroupMs, least } : { arrivalMs: timeoutMs };
  let plan = ring;
  for (;;) {
    const collective = await joinRing(plan);
    try {
      return await work(collective);
    } catch (error) {
      if (!(error instanceof RankLost)) throw error;
      onLost?.(error);
      plan = { ...ring, ...again };
    }
  }
}
