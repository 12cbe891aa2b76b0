/**
 * Training that outlives its workers: when one is lost, those that are left meet again, with whoever was
 * started anew in the meantime, and go on from the last checkpoint with as many as have come. A lost
 * worker costs the steps since that checkpoint and the time to meet, not the run.
 *
 *   meeting → working → done
 *      ↑         ↓ a rank is lost
 *      └─────────┘
 *
 * The leader is the one that cannot be lost: it has the checkpoint. It may take long to notice that
 * somebody is gone, because it may be evaluating, so the others call it for as long as they would wait
 * for a message of it. When it is not back by then, they give up, and whoever restarts the gang goes on
 * from there.
 */
import { RankLost, type Collective } from '../collective.ts';
import { meet, PATIENCE_MS, type Meeting } from './rendezvous.ts';

export interface Elasticity {
  /** Milliseconds that the leader waits for ranks when they meet again; default 10 000. */
  readonly regroupMs?: number;
  /** Ranks to go on with at least; default 1. */
  readonly least?: number;
  /** Called before ranks meet again. */
  readonly onLost?: (lost: RankLost) => void;
}

const REGROUP_MS = 10_000;

/**
 * @param work with the ranks that have met; called again, from the last checkpoint, when one was lost.
 * @throws RankLost when too few come, or the leader does not.
 */
export async function elastic<T>(
  meeting: Meeting,
  work: (collective: Collective) => Promise<T>,
  { regroupMs = REGROUP_MS, least = 1, onLost }: Elasticity = {},
): Promise<T> {
  const { rank, timeoutMs = PATIENCE_MS } = meeting;
  const again = rank === 0 ? { arrivalMs: regroupMs, least } : { arrivalMs: timeoutMs };
  let plan = meeting;
  for (;;) {
    const collective = await meet(plan);
    try {
      return await work(collective);
    } catch (error) {
      if (!(error instanceof RankLost)) throw error;
      onLost?.(error);
      plan = { ...meeting, ...again };
    }
  }
}
