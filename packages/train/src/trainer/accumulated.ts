/**
 * A step session whose batches are split into several runs: gradients are summed, and one update is
 * made.
 */
import type { Dataset } from '../data/dataset.ts';
import { batchPart } from '../parallel/batch-part.ts';
import type { StepSession } from '../step/step-session.ts';
import type { TrainingStep } from '../step/training-step.ts';
import { dataError } from '../train-error.ts';

export interface AccumulatedOptions {
  readonly data: Pick<Dataset, 'count'>;
  /** Rows of a run. */
  readonly batch: number;
  /** Runs of a step, as it was made with. */
  readonly accumulate: number;
  readonly mask?: string | undefined;
}

/**
 * The runs of a step have equal weights in its mean, so all of them must be full.
 * @throws TrainError `data` when the rows do not fill the steps.
 */
export function accumulated(
  session: StepSession,
  { inputs }: Pick<TrainingStep, 'inputs'>,
  { data, batch, accumulate, mask }: AccumulatedOptions,
): StepSession {
  const rows = batch * accumulate;
  if (data.count % rows !== 0) {
    throw dataError(
      `${data.count} rows do not come out even in steps of ${accumulate} batches of ${batch}.`,
    );
  }
  const parts = Array.from({ length: accumulate }, (_, rank) =>
    batchPart({ rank, size: accumulate, batch: rows, inputs, mask }),
  );
  const last = parts.at(-1)!;
  return {
    ...session,
    async step(all, learningRate, at) {
      let sum = 0;
      for (const part of parts.slice(0, -1)) sum += await session.accumulate(part(all), at);
      return (sum + (await session.step(last(all), learningRate, at))) / accumulate;
    },
  };
}
