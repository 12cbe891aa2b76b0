/**
 * The loop over epochs. All of it follows from the plan: the order of the rows is a function of rows,
 * seed and epoch, the learning rate a function of the step's number, and the elements that Dropout
 * drops a function of seed and step. So an interrupted run resumes from its last checkpoint and
 * ends with the same bits as an uninterrupted one, on the same kind of machine.
 *
 * The loop stops early when an evaluation no longer improves, when a loss is not a number, or on a
 * signal.
 */
import type { NumericTensor } from '@skein/onnx';
import { batcher } from '../data/batcher.ts';
import { orderOfEpoch, requireIndices, type Dataset } from '../data/dataset.ts';
import type { RowOrder } from '../data/rows/block-order.ts';
import { loadCheckpoint, saveCheckpoint, type CheckpointStore } from '../checkpoint/checkpoint.ts';
import type { Backend, Tensors } from '../run/backend.ts';
import type { Schedule } from '../schedules/schedule.ts';
import { openStep, type StepSession } from '../step/step-session.ts';
import type { TrainingStep } from '../step/training-step.ts';
import { Diverged } from '../train-error.ts';
import { accumulated } from './accumulated.ts';

export interface TrainOptions {
  readonly backend: Backend;
  /** Threads that one operator may use; default 1. */
  readonly threads?: number | undefined;
  readonly data: Dataset;
  /** Rows per batch of the step's model. */
  readonly batch: number;
  /** Batches whose gradients make one step; default 1. */
  readonly accumulate?: number | undefined;
  /**
   * Input that marks padding with 0; without it the rows must fill the batches. An entry of the
   * dataset under this name holds the weights of the rows.
   */
  readonly mask?: string | undefined;
  readonly epochs: number;
  /** Seed of the order of the rows, and of Dropout. */
  readonly seed: number;
  /** Learning rate by step. */
  readonly schedule: Schedule;
  /** A number to minimise, from the parameters after each epoch, such as a validation loss. */
  readonly evaluate?:
    | ((tensors: Tensors, epoch: number) => Promise<number | Evaluation>)
    | undefined;
  /** Epochs without improvement after which to stop; needs `evaluate`. */
  readonly patience?: number | undefined;
  readonly checkpoints?: CheckpointStore;
  /** Steps between checkpoints; default: one after each epoch. */
  readonly checkpointEvery?: number | undefined;
  readonly onProgress?: (progress: Progress) => void;
  /** Called after each epoch with the reports of all epochs, also those before a checkpoint. */
  readonly onEpoch?: (epochs: readonly EpochReport[]) => void | Promise<void>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds on any clock; default the performance clock. */
  readonly now?: () => number;
}

export interface Evaluation {
  /** The number to minimise. */
  readonly score: number;
  /** Further metrics of the epoch, kept with it. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface Progress {
  /** Current epoch, from 0, of `epochs` in all. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done, of `steps` in all. */
  readonly step: number;
  readonly steps: number;
  /** Loss of the last batch. */
  readonly loss: number;
  readonly learningRate: number;
  /** Remaining milliseconds, at the pace since this process began. */
  readonly leftMs: number;
}

export interface EpochReport {
  /** Mean loss of the rows, each measured before the step that used it. */
  readonly loss: number;
  /** Result of `evaluate`. */
  readonly score?: number;
  readonly metrics?: Readonly<Record<string, number>>;
}

export interface TrainResult {
  /** Parameters and state: of the best epoch when there is `evaluate`, else of the last. */
  readonly tensors: Tensors;
  readonly epochs: readonly EpochReport[];
  /** The epoch of the tensors, from 0, when there is `evaluate`. */
  readonly bestEpoch?: number;
  readonly steps: number;
  readonly stopped: 'done' | 'no improvement' | 'signal';
}

/** State of a checkpoint in addition to the tensors. */
interface Standing {
  readonly epochs: readonly EpochReport[];
  readonly step: number;
  /** Sum of loss times the weight of its rows in the current epoch. */
  readonly lossSum: number;
  readonly bestEpoch: number;
}

/** Prefix of the best epoch's tensors in a checkpoint. */
const BEST = 'best/';

/**
 * @throws Diverged when a batch's loss is not a number; it holds the batch, and the parameters are
 * those before it.
 * @throws TrainError `checkpoint` when the saved run is another one, `data` when rows and batches do not fit.
 * @throws RangeError when `epochs` is not a whole number.
 */
export function train(step: TrainingStep, options: TrainOptions): Promise<TrainResult> {
  const { backend, threads = 1, seed, accumulate = 1 } = options;
  const open = async () => {
    const session = await openStep(step, backend, { threads, seed });
    return accumulate === 1 ? session : accumulated(session, step, { ...options, accumulate });
  };
  return trainIn(step, open, options);
}

/** The operations of a step that the loop uses. */
export type StepShape = Pick<TrainingStep, 'inputs' | 'parameters' | 'indices'>;

/**
 * The same loop for steps that run elsewhere, such as on several ranks.
 * @param open opens the session that takes steps; it is closed at the end.
 */
export async function trainIn(
  step: StepShape,
  open: () => Promise<StepSession>,
  options: TrainOptions,
): Promise<TrainResult> {
  const session = await open();
  try {
    return await run(step, session, options);
  } finally {
    await session.close();
  }
}

async function run(
  step: StepShape,
  session: StepSession,
  options: TrainOptions,
): Promise<TrainResult> {
  const { data, mask, epochs, seed, schedule, signal, accumulate = 1 } = options;
  if (!(Number.isInteger(epochs) && epochs >= 0)) {
    throw new RangeError(`epochs must be a whole number from 0 on, not ${epochs}.`);
  }
  const batch = options.batch * accumulate;
  const { now = () => performance.now(), checkpoints, evaluate, patience = Infinity } = options;
  const inputs = step.inputs.map(({ name }) => name).filter((name) => name !== mask);
  const batches = batcher(data, { size: batch, inputs, mask });
  const steps = batches.count * epochs;
  const every = options.checkpointEvery ?? batches.count;
  const plan = {
    seed,
    batch: options.batch,
    ...(accumulate === 1 ? {} : { accumulate }),
    rows: data.count,
    parameters: step.parameters.length,
  };

  const saved = checkpoints && (await loadCheckpoint<Standing>(checkpoints, plan));
  let best: Tensors | undefined;
  if (saved !== undefined) {
    session.load(saved.tensors);
    best = withoutPrefix(saved.tensors);
  }
  let {
    step: done,
    lossSum,
    bestEpoch,
  } = saved?.progress ?? { step: 0, lossSum: 0, bestEpoch: -1 };
  const reports = [...(saved?.progress.epochs ?? [])];
  const save = async () => {
    const standing: Standing = { epochs: reports, step: done, lossSum, bestEpoch };
    const tensors = new Map([...session.tensors(), ...withPrefix(best)]);
    if (checkpoints !== undefined)
      await saveCheckpoint(checkpoints, { plan, progress: standing, tensors });
  };
  const result = (stopped: TrainResult['stopped']): TrainResult => ({
    tensors: best ?? copied(session.tensors()),
    epochs: reports,
    ...(bestEpoch < 0 ? {} : { bestEpoch }),
    steps: done,
    stopped,
  });

  const begun = now();
  const doneBefore = done;
  let order: RowOrder = new Uint32Array(0);
  while (done < steps) {
    const epoch = Math.floor(done / batches.count);
    if (epoch - 1 - bestEpoch >= patience && bestEpoch >= 0) return result('no improvement');
    const index = done % batches.count;
    if (index === 0 || order.length === 0) order = orderOfEpoch(data, seed, epoch);
    if (signal?.aborted === true) {
      await save();
      return result('signal');
    }
    const { tensors, rows, weight } = batches.fill(order, index);
    requireClasses(
      step,
      tensors,
      (row) => order.subarray(index * batch + row, index * batch + row + 1)[0]!,
    );
    const learningRate = schedule(done);
    const loss = await session.step(tensors, learningRate, done);
    if (!Number.isFinite(loss)) {
      const message = `The loss is ${loss} at step ${done} (epoch ${epoch}, batch ${index}, learning rate ${learningRate}).`;
      throw new Diverged(
        message,
        copied(tensors),
        order.subarray(index * batch, index * batch + rows).slice(),
      );
    }
    lossSum += loss * weight;
    done++;
    if (index + 1 === batches.count) {
      const found = await evaluate?.(session.tensors(), epoch);
      const graded = typeof found === 'number' ? { score: found } : found;
      const score = graded?.score;
      reports.push({ loss: lossSum / batches.weight, ...graded });
      lossSum = 0;
      const record = reports[bestEpoch]?.score ?? Infinity;
      if (score !== undefined && score < record) {
        bestEpoch = epoch;
        best = copied(session.tensors());
      }
    }
    const leftMs = ((now() - begun) / (done - doneBefore)) * (steps - done);
    options.onProgress?.({ epoch, epochs, step: done, steps, loss, learningRate, leftMs });
    if (done % every === 0 || done === steps) await save();
    if (done % batches.count === 0) await options.onEpoch?.(reports);
  }
  return result(epochsWithout(reports, bestEpoch) >= patience ? 'no improvement' : 'done');
}

/** @throws TrainError `data` for a target that is none of the classes, naming the row. */
function requireClasses(
  { indices }: StepShape,
  batch: Tensors,
  rowOf: (place: number) => number,
): void {
  const targets = indices && batch.get(indices.input);
  if (targets !== undefined) requireIndices(targets, indices!, rowOf);
}

function epochsWithout(reports: readonly EpochReport[], bestEpoch: number): number {
  return bestEpoch < 0 ? 0 : reports.length - 1 - bestEpoch;
}

function copied(tensors: Tensors): Map<string, NumericTensor> {
  return new Map(
    [...tensors].map(([name, each]) => [name, { ...each, bytes: each.bytes.slice() }]),
  );
}

function withPrefix(tensors: Tensors | undefined): [string, NumericTensor][] {
  return [...(tensors ?? [])].map(([name, each]) => [BEST + name, each]);
}

function withoutPrefix(tensors: Tensors): Tensors | undefined {
  const found = [...tensors].filter(([name]) => name.startsWith(BEST));
  if (found.length === 0) return undefined;
  return new Map(found.map(([name, each]) => [name.slice(BEST.length), each]));
}
