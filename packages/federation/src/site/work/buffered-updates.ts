/**
 * Updates of a site whose rounds do not wait for it (FedBuff): it trains, and masks what it has learnt for the round that
 * is open when it is done.
 *
 *   task of round v ──▶ trains from θᵥ ──▶ ready ──▶ masked for the open round r, with weight 1/√(1 + r − v)
 *        ▲                    │ r − v above the staleness                  │
 *        └────────────────────┴──────────────── in the sum of r ───────────┘   not in it: masked for the next
 *
 * An update is in one sum if the coordinator keeps to the protocol. If it does not, it may be in several, each with a part
 * of at most `clip`, as a new update of each round would have: the accounting counts one for each round.
 */
import { unlessAborted } from '@skein/api/waits';
import { stalenessWeight } from '@skein/train/federated';
import type { BufferTerms } from '../../plan/kinds/strategies/strategy-kind.ts';
import type { Settled } from '../answers.ts';
import type { SiteTraining, SiteUpdate } from './training.ts';
import { protocolError } from '../../transport/messages.ts';

export interface Asked {
  readonly round: number;
  readonly broadcast: Float32Array;
  /** Digests of the models that an update may start from; the broadcast's, the newest, is last. */
  readonly versions: readonly string[];
  readonly signal: AbortSignal | undefined;
}

export interface ReadyUpdate extends SiteUpdate {
  /** Rounds. */
  readonly behind: number;
  /** The masked update is about to be stored and sent. @returns a function to call with its outcome. */
  give(): Settled;
}

/** An update that a site has trained, or is training. */
interface Trained {
  readonly from: number;
  readonly digest: string;
  readonly update: Promise<SiteUpdate>;
  /** The round that it was masked for last, and whether it is in the sum of that. */
  given?: { readonly round: number; readonly isTaken: Promise<boolean> };
}

/** @returns the update for a round, when it is ready; one call at a time. @throws the reason of `signal`, SkeinError FEDERATION_PROTOCOL. */
export function bufferedUpdates(
  training: SiteTraining,
  { staleness }: Pick<BufferTerms, 'staleness'>,
): (asked: Asked) => Promise<ReadyUpdate> {
  let trained: Trained | undefined;

  function begin({ round, broadcast, versions }: Asked): Trained {
    const update = training.update(round, broadcast);
    update.catch(() => {});
    return { from: round, digest: versions.at(-1)!, update };
  }

  /** Waits for what is being learnt: a site trains once at a time. */
  async function isFree({ from, update, given }: Trained, { round }: Asked): Promise<boolean> {
    const isLearnt = await update.then(
      () => true,
      () => false,
    );
    if (!isLearnt || round < from || round - from > staleness) return false;
    // The same round again: what it was masked for is in no sum.
    return given === undefined || given.round === round || !(await given.isTaken);
  }

  return async (asked) => {
    const { round, versions, signal } = asked;
    const unlessLeft = <T>(result: Promise<T>): Promise<T> => {
      signal?.throwIfAborted();
      return unlessAborted(result, signal);
    };
    if (trained !== undefined && !(await unlessLeft(isFree(trained, asked)))) {
      trained = undefined;
    }
    const own = (trained ??= begin(asked));
    const behind = round - own.from;
    if (versions.at(-1 - behind) !== own.digest) {
      trained = undefined;
      throw protocolError(
        `Round ${round} names other parameters of round ${own.from} than those that this site was sent.`,
      );
    }
    const { numbers, weight } = await unlessLeft(own.update);
    const scale = stalenessWeight(behind);
    return {
      numbers: Float64Array.from(numbers, (each) => each * scale),
      weight,
      behind,
      give() {
        const { promise: isTaken, resolve } = Promise.withResolvers<boolean>();
        own.given = { round, isTaken };
        return resolve;
      },
    };
  };
}
