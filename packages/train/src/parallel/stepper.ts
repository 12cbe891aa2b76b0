/**
 * How ranks step together. Each rank calls `step` with its parts of the same batch; the leader
 * decides the learning rate and when to stop.
 */
import type { Kept } from '../optimisers/updates.ts';
import type { Tensors } from '../run/backend.ts';
import type { Collective } from './collective.ts';
import type { Numbers } from './numbers.ts';
import { HEAD, type Replica } from './replica.ts';

export interface Stepper {
  /** Loads the state of rank 0; returns the number of the first step. */
  begin(step: number, order: Order): Promise<number>;
  /** @param at number of the step, from 0. */
  step(parts: readonly Tensors[], order: Order, at: number): Promise<Outcome>;
  /** Ends the training of all ranks; called by the leader instead of a step. */
  stop(): Promise<void>;
  tensors(): Tensors;
  load(tensors: Tensors): void;
  /** Further state than parameters, statistics and the optimiser's state. */
  readonly extra: readonly Kept[];
}

export interface Order {
  /** 0 on ranks other than the leader. */
  readonly learningRate: number;
}

export interface Outcome {
  /** Mean of the rows of all ranks, as the parameters were before the step; the same on every rank. */
  readonly loss: number;
  /** The leader has ended the training; nothing was changed. */
  readonly stopped: boolean;
}

/** Sums the numbers of all ranks. */
export interface Exchange {
  /** Numbers of `own` from one to another are final, while the rest is still computed. */
  readonly begin?: (from: number, to: number) => void;
  /** Sums of the numbers of all ranks. */
  readonly finish: (own: Numbers) => Promise<Numbers>;
}

export function plainExchange(collective: Collective, { sums }: Replica): Exchange {
  return {
    async finish(own) {
      await collective.sum(own, sums);
      return sums;
    },
  };
}

/** Every step is one step of the whole batch: the same as on one rank, except for rounding. */
export function synchronous(replica: Replica, exchange: Exchange): Stepper {
  const { own } = replica;
  const together = async (learningRate: number, stop: number): Promise<Numbers> => {
    own[HEAD.rate] = learningRate;
    own[HEAD.stop] = stop;
    return exchange.finish(own);
  };
  return {
    extra: [],
    begin: (step) => replica.begin(step),
    async step(parts, { learningRate }, at) {
      await replica.gradient(parts, at, exchange.begin);
      const sums = await together(learningRate, 0);
      if (sums[HEAD.stop]! > 0) return { loss: NaN, stopped: true };
      const loss = sums[HEAD.loss]! / sums[HEAD.weight]!;
      // All ranks see the same loss, so that all refuse the same step.
      if (Number.isFinite(loss)) await replica.update(sums, sums[HEAD.rate]!);
      return { loss, stopped: false };
    },
    async stop() {
      own.fill(0);
      await together(0, 1);
    },
    tensors: () => replica.tensors(),
    load: (tensors) => replica.load(tensors),
  };
}
