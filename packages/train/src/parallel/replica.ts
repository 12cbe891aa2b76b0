/**
 * State and computation of one rank: parameters, statistics and the optimiser's state, the gradient
 * of its part of a batch, and the update of its range of the parameters.
 *
 * Parameters and state lie twice in memory, one copy read and the other written; where ranks share
 * memory they share both, and each writes its part. In local training (`alone`) each rank has its own.
 */
import { gradientName, readModel, type NumericTensor } from '@skein/onnx';
import { LEARNING_RATE, nextOf, STEP, type Kept } from '../optimisers/updates.ts';
import type { Backend, Tensors } from '../run/backend.ts';
import { dropoutKeys } from '../step/dropout-keys.ts';
import { requireFit } from '../step/step-session.ts';
import type { Collective } from './collective.ts';
import { FLAT, SHARE, SUMS } from './flat-update.ts';
import { LOSS_SUM, statisticSumOf, WEIGHT_SUM } from './gradient-step.ts';
import { fill, lengthOf, numbersIn, tensorOver, viewsOf, type Numbers } from './numbers.ts';
import type { RankPlan } from './rank-plan.ts';

/** Numbers before the statistics and the gradients in the numbers of a step. */
export const HEAD = { loss: 0, weight: 1, rate: 2, stop: 3, length: 4 } as const;

export interface Replica {
  readonly plan: RankPlan;
  /** Numbers that are trained. */
  readonly length: number;
  /** Numbers of this rank in a step: head, statistics and gradients, each times the weight of the rows. */
  readonly own: Numbers;
  /** Sums over all ranks. */
  readonly sums: Numbers;
  /** Where the gradients begin in `own` and `sums`. */
  readonly gradientsAt: number;
  /** The parameters as they are. */
  parameters(): Numbers;
  /** The running statistics as they are. */
  statistics(): Numbers;
  /** Adds up what all ranks have in `own`. */
  share(): Promise<Numbers>;
  /**
   * Fills `own` with the gradients of the rows at this step, without rate and stop. The rows come
   * in parts; each part is one run.
   * @param final called after each stage of the graph except the last, with the numbers that are
   * final.
   */
  gradient(
    parts: readonly Tensors[],
    at: number,
    final?: (from: number, to: number) => void,
  ): Promise<void>;
  /** Moves the parameters along the gradients in these numbers, and takes their statistics. */
  update(numbers: Numbers, learningRate: number): Promise<void>;
  /** Everything that training changes, by name; views that the next step changes. */
  tensors(): Tensors;
  /**
   * Loads a state that another run, or this one, saved.
   * @throws TrainError `checkpoint` when it does not fit.
   */
  load(tensors: Tensors, also?: readonly Kept[]): void;
  /**
   * Copies the state of rank 0 to all ranks.
   * @param step number of the first step; only the value of rank 0 counts.
   * @returns the number of the first step.
   */
  begin(step: number): Promise<number>;
  close(): Promise<void>;
}

export interface ReplicaOptions {
  readonly backend: Backend;
  /** Threads that one operator may use; default 1. */
  readonly threads?: number | undefined;
  /** Whether each rank has parameters of its own. */
  readonly alone: boolean;
}

export async function openReplica(
  plan: RankPlan,
  collective: Collective,
  { backend, threads = 1, alone }: ReplicaOptions,
): Promise<Replica> {
  const { type, parameters, statistics, slots, counts, clipNorm } = plan;
  const length = lengthOf(parameters);
  const gradientsAt = HEAD.length + lengthOf(statistics);
  const own = collective.own(type, gradientsAt + length);
  const sums = collective.common(type, gradientsAt + length);
  const allocate = (wanted: number) =>
    alone ? collective.own(type, wanted) : collective.common(type, wanted);
  const [from, to] = alone ? [0, length] : collective.part(length);
  const copies = [0, 1].map(() => {
    const flat = allocate(length);
    const states = slots.map(() => allocate(length));
    /** Inputs and outputs of the update graph. */
    const range = new Map(
      [flat, ...states].map((numbers, i) => [
        i === 0 ? FLAT : `${slots[i - 1]}/${FLAT}`,
        tensorOver(numbers.subarray(from, to), [to - from]),
      ]),
    );
    return { flat, states, range };
  });
  const statistic = allocate(gradientsAt - HEAD.length);
  const count = alone ? collective.own('float64', 1) : collective.common('float64', 1);
  const views = copies.map(({ flat }) => viewsOf(parameters, flat));
  const statisticViews = viewsOf(statistics, statistic);
  // ONNX Runtime writes the new running statistics over those that it is given.
  const given: Numbers = statistic.slice();
  const givenViews = viewsOf(statistics, given);
  let now = 0;

  const { stages } = plan;
  const graphs = stages.map(({ graph }) => graph);
  // One stage runs on this thread, which is idle meanwhile.
  const staged = stages.length > 1 ? await backend.openStages?.(graphs, { threads }) : undefined;
  const whole = staged ? undefined : await backend.open(readModel(graphs[0]!), { threads });
  const keys = dropoutKeys(plan.dropouts, plan.seed);
  const updating = plan.update && (await backend.open(readModel(plan.update), { threads }));

  const body = own.subarray(HEAD.length);
  const into = new Map([
    [LOSS_SUM, tensorOver(own.subarray(HEAD.loss, HEAD.loss + 1), [])],
    [WEIGHT_SUM, tensorOver(own.subarray(HEAD.weight, HEAD.weight + 1), [])],
    ...viewsOf(statistics, body, statisticSumOf),
    ...viewsOf(parameters, own.subarray(gradientsAt), gradientName),
  ]);
  const scalar = () => numbersIn(type, new ArrayBuffer(8), 1);
  const [rate, factor] = [scalar(), scalar()];
  const before = new Float64Array(1);
  const after = new Float64Array(1);
  const gradientFeeds = new Map<Numbers, NumericTensor>();
  const gradientsOf = (numbers: Numbers) => {
    let found = gradientFeeds.get(numbers);
    if (found === undefined) {
      found = tensorOver(numbers.subarray(gradientsAt + from, gradientsAt + to), [to - from]);
      gradientFeeds.set(numbers, found);
    }
    return found;
  };

  const tensors = () =>
    new Map<string, NumericTensor>([
      ...views[now]!,
      ...statisticViews,
      ...(counts ? [[STEP, tensorOver(count, [])] as const] : []),
      ...slots.flatMap((slot, s) => [
        ...viewsOf(parameters, copies[now]!.states[s]!, (name) => `${slot}/${name}`),
      ]),
    ]);

  return {
    plan,
    length,
    own,
    sums,
    gradientsAt,
    parameters: () => copies[now]!.flat,
    statistics: () => statistic,
    async share() {
      await collective.sum(own, sums);
      return sums;
    },
    async gradient(parts, at, final) {
      let total: Numbers | undefined;
      for (const [i, batch] of parts.entries()) {
        given.set(statistic);
        const feeds = new Map([...batch, ...views[now]!, ...givenViews, ...keys(at, i)]);
        await whole?.run(feeds, into);
        await staged?.run(feeds, into, (stage) => {
          const { from, to } = stages[stage]!;
          // The sums of several runs are final after the last run; the last stage ends the run
          // itself.
          if (parts.length === 1 && stage < stages.length - 1) final?.(from, to);
        });
        if (parts.length === 1) return;
        if (total === undefined) total = own.slice();
        else addTo(total, own);
      }
      own.set(total!);
    },
    async update(numbers, learningRate) {
      const weight = numbers[HEAD.weight]!;
      const scale =
        clipNorm === undefined ? 1 : clipScale(numbers.subarray(gradientsAt), weight, clipNorm);
      rate[0] = learningRate;
      factor[0] = scale / weight;
      before[0] = count[0]!;
      const current = copies[now]!.range;
      const next = copies[1 - now]!.range;
      await updating?.run(
        new Map([
          ...current,
          [SUMS, gradientsOf(numbers)],
          [SHARE, tensorOver(factor, [])],
          [LEARNING_RATE, tensorOver(rate, [])],
          ...(counts ? [[STEP, tensorOver(before, [])] as const] : []),
        ]),
        new Map([
          ...[...next].map(([name, each]) => [nextOf(name), each] as const),
          ...(counts ? [[nextOf(STEP), tensorOver(after, [])] as const] : []),
        ]),
      );
      // Ranks that share memory write the same bits here.
      const measured = numbers.subarray(HEAD.length, gradientsAt);
      for (let i = 0; i < measured.length; i++) statistic[i] = measured[i]! / weight;
      now = 1 - now;
      if (!alone) await collective.publish();
      if (counts) count[0] = before[0] + 1;
    },
    tensors,
    load(other, also = []) {
      const found = tensors();
      const wanted = [...found].map(([name, each]) => ({
        name,
        type: each.type as Kept['type'],
        shape: each.shape,
      }));
      for (const each of [...wanted, ...also]) requireFit(each, other.get(each.name));
      fill(found, other);
    },
    async begin(step) {
      if (collective.rank === 0) own.set([...digits(step), ...digits(count[0]!)]);
      await collective.sum(own, sums);
      count[0] = number(sums[2]!, sums[3]!);
      const begun = number(sums[0]!, sums[1]!);
      const { flat, states } = copies[now]!;
      for (const each of [flat, ...states, statistic]) {
        own.fill(0);
        if (collective.rank === 0) own.set(each);
        await collective.sum(own, sums);
        each.set(sums.subarray(0, each.length));
      }
      return begun;
    },
    async close() {
      await whole?.close();
      await staged?.close();
      await updating?.close();
    },
  };
}

/** Numbers up to 2⁴⁸, exactly, in two that float32 holds. */
const BASE = 2 ** 24;

function digits(value: number): [low: number, high: number] {
  return [value % BASE, Math.floor(value / BASE)];
}

function number(low: number, high: number): number {
  return low + high * BASE;
}

function addTo(total: Numbers, more: Numbers): void {
  for (let i = 0; i < total.length; i++) total[i] = total[i]! + more[i]!;
}

/** The factor that brings the norm of the mean gradient to the bound; see `clipGradients`. */
function clipScale(sums: Numbers, weight: number, bound: number): number {
  let squares = 0;
  for (const each of sums) squares += each * each;
  return Math.min(1, bound / (Math.sqrt(squares) / weight + 1e-6));
}
