/** The result of a run: its metrics, its trained model, or the reason why it has none. */
import { existsSync } from 'node:fs';
import type { Run, RunEpoch, RunReport } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { writeModel } from '@skein/onnx';
import type { RunFolder } from '@skein/state/runs';
import { fileStore } from '../checkpoint/file-store.ts';
import { writeTensors } from '../checkpoint/safetensors.ts';
import type { TaskReport } from '../task/report.ts';
import type { TrainedTask } from '../task/train-task.ts';
import { Diverged } from '../train-error.ts';
import type { EpochReport } from '../trainer/trainer.ts';
import { explained } from './failure.ts';
import type { Journal } from './journal.ts';
import { digestOfBytes } from './lineage.ts';

export const CHECKPOINT = 'checkpoint.safetensors';

/** Keeps the metrics of earlier epochs; describes the newest. */
export function epochsOf(
  reports: readonly EpochReport[],
  known: readonly RunEpoch[],
  newest: Pick<RunEpoch, 'learningRate' | 'tookMs'>,
): RunEpoch[] {
  return reports.map(({ loss, metrics = {} }, i) => {
    const epoch = i + 1;
    const before = known.find((each) => each.epoch === epoch);
    const { learningRate, tookMs } =
      i === reports.length - 1 ? newest : (before ?? { ...newest, tookMs: 0 });
    return { epoch, loss, learningRate, tookMs, metrics: { ...metrics } };
  });
}

/** Times the training loss, and nats or parts of the variance, by which the validation loss may be larger. */
const LARGEST_GAP = { times: 2, beyond: 0.1 };

/** A warning where the validation loss is far above the loss of the training rows. */
export function overfitting({ status, epochs }: Pick<Run, 'status' | 'epochs'>): string[] {
  const last = epochs.at(-1);
  const held = last?.metrics['validationLoss'];
  if (status !== 'finished' || last === undefined || typeof held !== 'number') return [];
  const { times, beyond } = LARGEST_GAP;
  if (!(held > last.loss * times + beyond)) return [];
  const [training, validation] = [last.loss, held].map((loss) => Number(loss.toPrecision(3)));
  const words = `The loss of the last epoch is ${training} on the training rows and ${validation} on the validation rows: the network learns rows by heart. Try a smaller network, fewer columns, more rows, or \`earlyStopping\`.`;
  return [words];
}

/** @returns the trained model; `undefined` for a run that was interrupted. */
export async function conclude(
  trained: TrainedTask,
  classes: readonly string[],
  folder: RunFolder,
  journal: Journal,
): Promise<Uint8Array | undefined> {
  const steps = { ...journal.run().steps, done: trained.steps };
  if (trained.stopped === 'signal') {
    await journal.update({ status: 'interrupted', reason: 'It was stopped.', steps });
    return undefined;
  }
  const model = writeModel(trained.model);
  await fileStore(folder.file('model.onnx')).save(model);
  const report = trained.report && viewOf(trained.report, classes);
  await journal.update({
    status: 'finished',
    reason:
      trained.stopped === 'done' ? 'Every epoch is done.' : 'The validation no longer improved.',
    steps,
    result: {
      digest: digestOfBytes(model),
      sizeBytes: model.byteLength,
      ...(trained.bestEpoch === undefined ? {} : { bestEpoch: trained.bestEpoch + 1 }),
      ...(report === undefined ? {} : { report }),
    },
  });
  return model;
}

/** A confusion matrix of more classes than this is too large to read. */
const LARGEST_MATRIX = 100;
/** Names that fit into a record. */
const MOST_CLASSES = 10_000;

function viewOf(report: TaskReport, classes: readonly string[]): RunReport {
  if (report.kind === 'regression') {
    return { ...report, r2: Number.isFinite(report.r2) ? report.r2 : null };
  }
  const { auc, confusion, calibration, ...rest } = report;
  const { error, brier, bins } = calibration;
  return {
    ...rest,
    ...(auc === undefined || Number.isNaN(auc) ? {} : { auc }),
    classes: classes.slice(0, MOST_CLASSES).map((each) => each.slice(0, 256)),
    confusion: confusion.length > LARGEST_MATRIX ? [] : confusion.map((row) => [...row]),
    calibration: { error, brier, bins: bins.map((bin) => ({ ...bin })) },
  };
}

/** Records the failure; returns it as an error for the user. */
export async function recordFailure(
  failed: unknown,
  folder: RunFolder,
  journal: Journal,
): Promise<unknown> {
  let failure = explained(failed);
  let status: Run['status'] = existsSync(folder.file(CHECKPOINT)) ? 'interrupted' : 'failed';
  if (failed instanceof Diverged) {
    status = 'failed';
    const path = folder.file('batch.safetensors');
    const rows = { type: 'uint32' as const, shape: [failed.rows.length] };
    const bytes = new Uint8Array(
      failed.rows.buffer,
      failed.rows.byteOffset,
      failed.rows.byteLength,
    );
    const tensors = new Map([...failed.batch, ['skein/rows', { ...rows, bytes }] as const]);
    await fileStore(path).save(await writeTensors({ tensors, metadata: {} }));
    failure = new SkeinError(
      'TRAINING_DIVERGED',
      `${failed.message} The batch is kept in ${path}.`,
      {
        cause: failed,
      },
    );
  }
  const reason = failure instanceof Error ? failure.message : String(failure);
  // On a full disk this cannot be written either; the old record remains.
  await journal.update({ status, reason: reason.slice(0, 4096) }).catch(() => undefined);
  return failure;
}
