/**
 * Two worker threads over one, on the same batch: McMahan's CNN, 100 rows in all, plain SGD. One worker
 * runs the step of one graph, which is what a training without `--workers` runs.
 */
import { dataset, type StepSession } from '@skein/train';
import { gradientStep, openThreads, rowsPerRank } from '@skein/train/parallel';
import type { Measure } from '../harness/report.ts';
import { median } from '../harness/statistics.ts';
import { gradedModel, openModel } from './models.ts';

export const DATA_PARALLEL: Measure = {
  key: 'dp2_speedup',
  what: 'McMahan’s CNN, batch 100 in all: one worker’s time over two workers’, two cores',
  unit: '×',
  target: { atLeast: 1.6 },
};

const BATCH = 100;
const WORKERS = 2;
const LEARNING_RATE = 0.01;

export interface DataParallelTimes {
  readonly oneMs: number;
  readonly twoMs: number;
}

/** Medians of both, in milliseconds a step; the rounds alternate. */
export async function measureDataParallel({
  quick,
}: {
  quick: boolean;
}): Promise<DataParallelTimes> {
  const one = await openModel('cnn', BATCH);
  const { model, options } = gradedModel('cnn', rowsPerRank(BATCH, WORKERS));
  const { rows } = gradedModel('cnn', BATCH);
  const two: StepSession = await openThreads(gradientStep(model, options), {
    workers: WORKERS,
    data: dataset(rows),
    batch: BATCH,
    seed: 1,
  });
  const batch = new Map(Object.entries(rows));
  const times: { one: number[]; two: number[] } = { one: [], two: [] };
  let at = 0;
  const timed = async (into: number[], steps: number, take: () => Promise<unknown>) => {
    for (let i = 0; i < steps; i++) {
      const begun = performance.now();
      await take();
      into.push(performance.now() - begun);
    }
  };
  try {
    await timed([], 3, () => one.step());
    await timed([], 3, () => two.step(batch, LEARNING_RATE, at++));
    for (let round = 0; round < (quick ? 5 : 15); round++) {
      await timed(times.one, quick ? 5 : 10, () => one.step());
      await timed(times.two, quick ? 8 : 16, () => two.step(batch, LEARNING_RATE, at++));
    }
    return { oneMs: median(times.one), twoMs: median(times.two) };
  } finally {
    await one.close();
    await two.close();
  }
}
