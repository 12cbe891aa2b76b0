/**
 * A training step that is open on a backend, with its parameters and the optimiser's state. Both
 * exist twice: a run reads one copy and writes the other, then the copies are swapped. Nothing is
 * copied or allocated, and a run whose loss is not a number is undone by not swapping.
 *
 * States: *whole* (between batches) → *gathering* (after `accumulate`) → *whole* (after `step`).
 */
import { elementCount, elementSize, values, type NumericTensor } from '@skein/onnx';
import { LEARNING_RATE, nextOf, type Kept } from '../optimisers/updates.ts';
import type { Backend, BackendOptions, OpenGraph, Tensors } from '../run/backend.ts';
import { modelError, TrainError } from '../train-error.ts';
import { dropoutKeys } from './dropout-keys.ts';
import type { TrainingStep } from './training-step.ts';

export interface StepSession {
  /**
   * Trains on one batch. When the loss is not finite, parameters and state are unchanged.
   * @param batch every input in `inputs` of the step.
   * @param at number of the step in the run, from 0. With the seed it decides the elements that
   * Dropout drops, so a resumed run and each of several ranks must pass it; default: the steps of
   * this session so far.
   * @returns the loss of the batch, before the update.
   */
  step(batch: Tensors, learningRate: number, at?: number): Promise<number>;
  /** Adds a batch's gradient to what the next `step` uses; only for a step with `accumulate`. Returns the loss. `at` as in `step`. */
  accumulate(batch: Tensors, at?: number): Promise<number>;
  /**
   * Parameters, statistics and state by name, valid until the next run: copy those that must be
   * kept.
   */
  tensors(): Tensors;
  /**
   * Continues with other parameters and state.
   * @throws TrainError `checkpoint` when names, types or shapes differ.
   */
  load(tensors: Tensors): void;
  close(): Promise<void>;
}

export interface StepOptions extends BackendOptions {
  /** Seed of Dropout; default 0. */
  readonly seed?: number;
}

export async function openStep(
  step: TrainingStep,
  backend: Backend,
  { seed = 0, ...options }: StepOptions = {},
): Promise<StepSession> {
  const graph = await backend.open(step.model, options);
  const gathering =
    step.accumulating === undefined ? undefined : await backend.open(step.accumulating, options);
  return openSession(step, graph, gathering, seed);
}

function openSession(
  step: TrainingStep,
  graph: OpenGraph,
  gatheringGraph: OpenGraph | undefined,
  seed: number,
): StepSession {
  const kept = [...step.parameters, ...step.statistics, ...step.state];
  const type = step.parameters[0]!.type;
  const weights = twice(kept);
  const sums = twice(step.sums);
  copyInto(weights.now(), step.initial);
  const rate = zeros({ name: LEARNING_RATE, type, shape: [] });
  const loss = zeros({ name: step.loss, type: step.lossType, shape: [] });
  const rateValue = values(rate) as Float32Array;
  const lossValue = values(loss) as Float32Array;
  const keys = dropoutKeys(step.dropouts, seed);
  /** Inputs and outputs of a run, for each of the two copies being current. */
  const runs = weights.turns.map(({ now, outputs }) => ({
    feeds: new Map([...now, [LEARNING_RATE, rate]]),
    into: new Map([[step.loss, loss], ...outputs]),
  }));
  let taken = 0;
  /** Batches accumulated for the next step. */
  let gathered = 0;

  return {
    async step(batch, learningRate, at = taken) {
      rateValue[0] = learningRate;
      const { feeds, into } = runs[weights.turn()]!;
      for (const { name } of step.inputs) {
        const given = batch.get(name);
        if (given === undefined) feeds.delete(name);
        else feeds.set(name, given);
      }
      for (const [name, sum] of sums.now()) feeds.set(name, sum);
      for (const [name, key] of keys(at, gathered)) feeds.set(name, key);
      taken = at + 1;
      gathered = 0;
      await graph.run(feeds, into);
      if (Number.isFinite(lossValue[0])) weights.swap();
      for (const sum of sums.now().values()) sum.bytes.fill(0);
      return lossValue[0]!;
    },
    async accumulate(batch, at = taken) {
      if (gatheringGraph === undefined) {
        throw modelError('The step was made without `accumulate`.');
      }
      const held = [...step.parameters, ...step.statistics].map(
        ({ name }) => [name, weights.now().get(name)!] as const,
      );
      const feeds = new Map([...batch, ...held, ...sums.now(), ...keys(at, gathered)]);
      gathered++;
      await gatheringGraph.run(feeds, new Map([[step.loss, loss], ...sums.outputs()]));
      sums.swap();
      return lossValue[0]!;
    },
    tensors: () => weights.now(),
    load(tensors) {
      for (const each of kept) requireFit(each, tensors.get(each.name));
      copyInto(weights.now(), tensors);
      for (const sum of sums.now().values()) sum.bytes.fill(0);
      gathered = 0;
    },
    async close() {
      await graph.close();
      await gatheringGraph?.close();
    },
  };
}

/** Tensors that exist twice: one copy is read while the other is written. */
interface Twice {
  /** By the current copy: its tensors, and the other copy under the outputs' names. */
  readonly turns: readonly {
    readonly now: ReadonlyMap<string, NumericTensor>;
    readonly outputs: ReadonlyMap<string, NumericTensor>;
  }[];
  turn(): number;
  now(): ReadonlyMap<string, NumericTensor>;
  outputs(): ReadonlyMap<string, NumericTensor>;
  swap(): void;
}

function twice(kept: readonly Kept[]): Twice {
  const copies = [kept.map(zeros), kept.map(zeros)];
  const turns = [0, 1].map((turn) => ({
    now: new Map(kept.map(({ name }, i) => [name, copies[turn]![i]!])),
    outputs: new Map(kept.map(({ name }, i) => [nextOf(name), copies[1 - turn]![i]!])),
  }));
  let current = 0;
  return {
    turns,
    turn: () => current,
    now: () => turns[current]!.now,
    outputs: () => turns[current]!.outputs,
    swap() {
      current = 1 - current;
    },
  };
}

function zeros({ type, shape }: Kept): NumericTensor {
  return { type, shape, bytes: new Uint8Array(elementCount(shape) * elementSize(type)) };
}

function copyInto(target: Tensors, source: Tensors): void {
  for (const [name, { bytes }] of target) {
    const given = source.get(name);
    if (given !== undefined) bytes.set(given.bytes);
  }
}

/** @throws TrainError `checkpoint` when name, type or shape differ. */
export function requireFit({ name, type, shape }: Kept, found: NumericTensor | undefined): void {
  const wanted = `${type} [${shape.join(', ')}]`;
  if (found === undefined) {
    throw new TrainError('checkpoint', `'${name}', ${wanted}, is missing.`);
  }
  const given = `${found.type} [${found.shape.join(', ')}]`;
  if (given !== wanted) {
    throw new TrainError('checkpoint', `'${name}' is ${given}, but the step has ${wanted}.`);
  }
}
