/**
 * The two roles in a training on several ranks. The *leader*, rank 0, runs the loop over epochs: it
 * decides learning rates, evaluates, saves checkpoints, and stops. To that loop the group is an
 * ordinary step session. A *follower* computes the gradient of its part of each batch until the
 * leader stops; its rows follow from the seed, so that only sums are sent.
 */
import { batcher } from '../data/batcher.ts';
import { orderOfEpoch } from '../data/dataset.ts';
import type { RowOrder } from '../data/rows/block-order.ts';
import type { Backend, Tensors } from '../run/backend.ts';
import type { StepSession } from '../step/step-session.ts';
import { modelError } from '../train-error.ts';
import type { TrainOptions } from '../trainer/trainer.ts';
import { batchPart } from './batch-part.ts';
import { RankLost, type Collective } from './collective.ts';
import { compressedExchange, type Compression } from './compression/exchange.ts';
import { localTraining, type LocalTraining } from './local-training.ts';
import { fill } from './numbers.ts';
import type { RankPlan } from './rank-plan.ts';
import { openReplica, type Replica } from './replica.ts';
import { overlappedExchange } from './overlap/overlapped-exchange.ts';
import { plainExchange, synchronous, type Exchange, type Stepper } from './stepper.ts';

/** The rows that every rank can read, and how they are distributed; the same on all ranks. */
export type Dealing = Pick<TrainOptions, 'data' | 'batch' | 'accumulate' | 'mask' | 'seed'>;

export interface GroupOptions {
  readonly backend: Backend;
  /** Threads that one operator of one rank may use; default 1. */
  readonly threads?: number | undefined;
  /** Local steps between exchanges, for slow links; default: exchange gradients at every step. */
  readonly local?: LocalTraining | undefined;
  /** Compression of exchanges; default: none. */
  readonly compression?: Compression | undefined;
  /**
   * Bytes of gradients that are exchanged together while the rest is computed; default: 2 MiB
   * between machines, all at once within one. Infinity: all at once.
   */
  readonly bucketBytes?: number | undefined;
  /** Steps between checkpoints, at which local training exchanges too. */
  readonly checkpointEvery?: number | undefined;
}

interface Member {
  readonly replica: Replica;
  readonly stepper: Stepper;
  readonly parts: (batch: Tensors) => readonly Tensors[];
}

async function openMember(
  collective: Collective,
  plan: RankPlan,
  dealing: Dealing,
  options: GroupOptions,
): Promise<Member> {
  const { rank, size } = collective;
  const { batch, mask, data, accumulate = 1 } = dealing;
  const { local, compression, checkpointEvery, bucketBytes: _, ...rest } = options;
  // A rank with several runs acts as several ranks, one after the other.
  const runs = Array.from({ length: accumulate }, (_, run) =>
    batchPart({
      rank: rank * accumulate + run,
      size: size * accumulate,
      batch,
      mask,
      inputs: plan.inputs,
    }),
  );
  const replica = await openReplica(plan, collective, { ...rest, alone: local !== undefined });
  const exchange = exchangeOf(collective, replica, compression);
  const stepper =
    local === undefined
      ? synchronous(replica, exchange)
      : localTraining(replica, exchange, {
          ...local,
          meetEvery: [Math.ceil(data.count / batch), ...(checkpointEvery ? [checkpointEvery] : [])],
        });
  return { replica, stepper, parts: (batch) => runs.map((part) => part(batch)) };
}

function exchangeOf(
  collective: Collective,
  replica: Replica,
  compression: Compression | undefined,
): Exchange {
  if (compression !== undefined) return compressedExchange(collective, replica, compression);
  const { stages } = replica.plan;
  if (stages.length > 1) return overlappedExchange(collective, replica, stages);
  return plainExchange(collective, replica);
}

export interface LeadOptions extends GroupOptions {
  /** Parameters and statistics to begin with. */
  readonly initial: Tensors;
}

/** Opens the leader's side: the step session for `train`. `close` also ends the followers' work. */
export async function lead(
  collective: Collective,
  plan: RankPlan,
  dealing: Dealing,
  { initial, ...options }: LeadOptions,
): Promise<StepSession> {
  const { replica, stepper, parts } = await openMember(collective, plan, dealing, options);
  fill(replica.tensors(), initial);
  let begun = false;
  let lost: RankLost | undefined;
  const together = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof RankLost) lost = error;
      throw error;
    }
  };
  return {
    step: (batch, learningRate, at) =>
      together(async () => {
        if (at === undefined) throw new TypeError('A step of several ranks needs its number.');
        if (!begun) await stepper.begin(at, { learningRate });
        begun = true;
        return (await stepper.step(parts(batch), { learningRate }, at)).loss;
      }),
    accumulate: () => {
      throw modelError(
        'Ranks take a batch in several runs by themselves, when they are opened with `accumulate`.',
      );
    },
    tensors: () => stepper.tensors(),
    load(tensors) {
      if (begun)
        throw new TypeError('A group of ranks resumes from a checkpoint at its start only.');
      stepper.load(tensors);
    },
    async close() {
      try {
        if (lost === undefined) {
          if (!begun) await stepper.begin(0, { learningRate: 0 });
          await stepper.stop();
        }
      } finally {
        await collective.close(lost);
        await replica.close();
      }
    },
  };
}

/** Works until the leader stops. @throws RankLost when a rank is lost. */
export async function follow(
  collective: Collective,
  plan: RankPlan,
  dealing: Dealing,
  options: GroupOptions,
): Promise<void> {
  const { replica, stepper, parts } = await openMember(collective, plan, dealing, options);
  let lost: RankLost | undefined;
  try {
    const { data, batch, mask, seed } = dealing;
    const inputs = plan.inputs.map(({ name }) => name).filter((name) => name !== mask);
    const batches = batcher(data, { size: batch, inputs, mask });
    const order = { learningRate: 0 };
    let epoch = -1;
    let rows: RowOrder = new Uint32Array(0);
    for (let at = await stepper.begin(0, order); ; at++) {
      const now = Math.floor(at / batches.count);
      if (now !== epoch) rows = orderOfEpoch(data, seed, now);
      epoch = now;
      const { tensors } = batches.fill(rows, at % batches.count);
      const { stopped } = await stepper.step(parts(tensors), order, at);
      if (stopped) return;
    }
  } catch (error) {
    if (error instanceof RankLost) lost = error;
    throw error;
  } finally {
    await collective.close(lost);
    await replica.close();
  }
}
