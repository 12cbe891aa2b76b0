/** Trains an assembled model on its problem: step, schedule, evaluation after each epoch, result. */
import type { LossModel, Model } from '@skein/onnx';
import type { Dataset } from '../data/dataset.ts';
import type { Clipping } from '../optimisers/clip.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { alone } from '../parallel/collective.ts';
import { leadRanks } from '../parallel/ranks.ts';
import { gradientStep, type GradientStep } from '../parallel/gradient-step.ts';
import { openStep, type StepSession } from '../step/step-session.ts';
import { withTrained } from '../step/trained-model.ts';
import { servedModel } from './served-model.ts';
import { trainingStep } from '../step/training-step.ts';
import { openEvaluator } from '../trainer/evaluate.ts';
import { trainIn, type TrainOptions, type TrainResult } from '../trainer/trainer.ts';
import { LABELS, MASK, type Problem } from './problem.ts';
import { metricsOf, taskReport, type TaskReport } from './report.ts';

export interface TrainTaskOptions extends Pick<
  TrainOptions,
  | 'backend'
  | 'threads'
  | 'schedule'
  | 'checkpoints'
  | 'accumulate'
  | 'epochs'
  | 'seed'
  | 'patience'
  | 'checkpointEvery'
  | 'onProgress'
  | 'onEpoch'
  | 'signal'
  | 'now'
> {
  readonly training: Dataset;
  /** Held-out rows; the epoch with the best result on them is kept. */
  readonly validation?: Dataset | undefined;
  /** Rows per batch of the problem. */
  readonly batch: number;
  readonly optimiser: Optimiser;
  readonly clip?: Clipping | undefined;
  /** Loss of the problem. */
  readonly frozen?: RegExp | undefined;
  /** Several ranks that take the steps together; default: this thread alone. */
  readonly group?: TaskGroup | undefined;
}

export interface TaskGroup {
  /** The loss of the part of a batch that one rank takes: of a problem for
   * `rowsPerRank` rows. */
  readonly graded: LossModel;
  open(step: GradientStep): Promise<StepSession>;
}

export interface TrainedTask extends Pick<
  TrainResult,
  'epochs' | 'bestEpoch' | 'steps' | 'stopped'
> {
  /** The start model with trained weights; columns of a table that has texts are its inputs. */
  readonly model: Model;
  /** Metrics of the validation rows. */
  readonly report?: TaskReport | undefined;
}

/**
 * A step of several runs, one after the other. It is computed as ranks do it, because there every
 * row has the same weight also in the last step of an epoch, which has fewer rows.
 */
function gathering(
  { graded }: Problem,
  { accumulate = 1, backend, batch, threads, training, seed }: TrainTaskOptions,
): TaskGroup | undefined {
  if (accumulate === 1) return undefined;
  return {
    graded,
    open: (step) =>
      leadRanks(alone(), step, {
        backend,
        threads,
        data: training,
        batch: batch * accumulate,
        accumulate,
        mask: MASK,
        seed,
      }),
  };
}

/**
 * @param start the result of `assemble` from which the problem was made.
 * @throws Diverged when a batch's loss is not a number.
 * @throws TrainError as `train` does.
 * @throws OnnxError when a node cannot be differentiated, naming it.
 */
export async function trainTask(
  start: Model,
  problem: Problem,
  options: TrainTaskOptions,
): Promise<TrainedTask> {
  const { backend, threads = 1, training, validation, batch, optimiser, clip, frozen } = options;
  const { group = gathering(problem, options), ...others } = options;
  const { model, ...loss } = group?.graded ?? problem.graded;
  const how = { ...loss, optimiser, clip, frozen };
  const step = group === undefined ? trainingStep(model, how) : gradientStep(model, how);
  const open = () =>
    'gradient' in step
      ? group!.open(step)
      : openStep(step, backend, { threads, seed: options.seed });
  const inputs = step.inputs
    .map(({ name }) => name)
    .filter((name) => name !== LABELS && name !== MASK);
  const evaluator =
    validation &&
    (await openEvaluator(problem.predicting, step, {
      backend,
      threads,
      data: validation,
      batch,
      inputs,
      output: problem.prediction,
    }));
  const report = async (tensors: TrainResult['tensors']) =>
    taskReport(problem, validation!, await evaluator!.predict(tensors));
  try {
    const result = await trainIn(step, open, {
      ...others,
      data: training,
      mask: MASK,
      evaluate:
        evaluator &&
        (async (tensors) => {
          const found = await report(tensors);
          return { score: found.loss, metrics: metricsOf(found) };
        }),
    });
    const { tensors, ...rest } = result;
    return {
      ...rest,
      model: servedModel(withTrained(start, tensors)),
      report: evaluator && (await report(tensors)),
    };
  } finally {
    await evaluator?.close();
  }
}
