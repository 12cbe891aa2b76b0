/**
 * A run from its first file to its last.
 *
 *   prepared → running → finished
 *                    ↘ interrupted (Ctrl-C, kill, full disk) → running, from its checkpoint
 *                    ↘ failed (the loss is not a number, or no step can run)
 *
 * The run's folder holds all that is needed to resume before the first step.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Run, RunEpoch, RunReport } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { readModel, writeModel } from '@skein/onnx';
import { openRunFolder, readRun, type RunFolder } from '@skein/state/runs';
import {
  Diverged,
  trainTask,
  writeTensors,
  type CheckpointStore,
  type EpochReport,
  type Progress,
  type TrainedTask,
  type TaskReport,
} from '@skein/train';
import { fileStore } from '@skein/train/files';
import { nativeBackend } from '@skein/train/native';
import type { Context } from '../command.ts';
import { dataFolder, type ConnectionChoice } from '../connection.ts';
import { digestOfBytes } from './digest.ts';
import { explained, explaining } from './failure.ts';
import type { Gang } from './gang.ts';
import { trainDistributed, assertMultiWorkerOptions, assertGangOptions } from './group.ts';
import { openJournal, type Journal } from './journal.ts';
import { codeVersion, environment } from './lineage.ts';
import { resolveOrigin, type Origin } from './origin.ts';
import { prepare, type Prepared } from './prepare.ts';
import { createJobProgress, createProgress } from './progress.ts';
import {
  clipOf,
  optimiserOf,
  planOf,
  rateOf,
  rowsPerStep,
  scheduleOf,
  settingsOf,
  type Settings,
} from './settings.ts';

const CHECKPOINT = 'checkpoint.safetensors';

export interface TrainingOutcome {
  readonly run: Run;
  readonly folder: RunFolder;
  /** Absent when the run was interrupted. */
  readonly model?: Uint8Array;
}

/** Options of each start or resumption: where the run trains, not its plan. */
export interface Place {
  readonly gang?: Gang | undefined;
  /** Number of threads that replaces the run's own. */
  readonly workers?: number | undefined;
  /** Whether the command is retried as a whole, such as a job. */
  readonly retried?: boolean | undefined;
}

/** Origin of the settings, when they are given again instead of those that the run has kept. */
interface GivenAgain {
  readonly origin?: Origin | undefined;
}

/** Starts a run and trains until it is finished or the signal aborts. The caller closes the folder. */
export async function startRun(
  context: Context,
  choice: ConnectionChoice,
  origin: Origin,
  { gang, retried }: Omit<Place, 'workers'> = {},
): Promise<TrainingOutcome> {
  context.notes.progress('Reading data and model …');
  const resolved = await resolveOrigin(origin);
  const settings = settingsOf(resolved.training);
  assertMultiWorkerOptions(settings, gang !== undefined || settings.workers > 1);
  assertGangOptions(settings, gang);
  const prepared = await prepare(resolved, settings, dataFolder(context, choice.data));
  // Options out of their range are refused before anything is written.
  await explaining(undefined, () => {
    optimiserOf(settings);
    scheduleOf(settings, plannedSteps(prepared, settings));
    clipOf(settings);
  });
  const name = (settings.name ?? prepared.source.name).slice(0, 128);
  const id = idOf(name, new Date());
  const folder = await openRunFolder(dataFolder(context, choice.data), id);
  try {
    const at = new Date().toISOString();
    const journal = openJournal(context, choice, folder, {
      id,
      name,
      status: 'running',
      reason: '',
      task: prepared.problem.blueprint.task,
      plan: planOf(settings, prepared.source.described),
      lineage: {
        data: prepared.data,
        parent: prepared.parent,
        seed: settings.seed,
        code: await codeVersion(origin.cwd, origin.config?.digest),
        environment: environment(),
      },
      steps: { done: 0, planned: plannedSteps(prepared, settings) },
      epochs: [],
      versions: [],
      process: { host: hostname(), pid: process.pid },
      startedAt: at,
      updatedAt: at,
    });
    await saveOrigin(folder, origin);
    await fileStore(folder.file('start.onnx')).save(writeModel(prepared.start));
    await journal.update({});
    return await trainOn(context, { prepared, settings, gang, retried }, folder, journal);
  } catch (error) {
    folder.close();
    throw explained(error);
  }
}

/**
 * Resumes a run from its checkpoint.
 * @throws SkeinError RUN_ACTIVE, RUN_CHANGED, RUN_UNFINISHED, CHECKPOINT_INVALID.
 */
export async function resumeRun(
  context: Context,
  choice: ConnectionChoice,
  id: string,
  { gang, workers, retried, origin }: Place & GivenAgain = {},
): Promise<TrainingOutcome> {
  context.notes.progress('Reading data and model …');
  const folder = await openRunFolder(dataFolder(context, choice.data), id);
  try {
    const known = await readRun(folder.path);
    const plan = await readFile(folder.file('plan.json'), 'utf8').catch(() => undefined);
    const start = await readFile(folder.file('start.onnx')).catch(() => undefined);
    if (known === undefined || plan === undefined || start === undefined) {
      throw new SkeinError('RUN_UNFINISHED', `The files of run ${id} are not in ${folder.path}.`);
    }
    const resolved = await resolveOrigin(origin ?? (JSON.parse(plan) as Origin));
    const settings = settingsOf({
      ...resolved.training,
      ...(workers === undefined ? {} : { workers }),
    });
    assertMultiWorkerOptions(settings, gang !== undefined || settings.workers > 1);
    const kept = { start: readModel(start), lineage: known.lineage };
    const scratch = dataFolder(context, choice.data);
    const prepared = await prepare(resolved, settings, scratch, kept);
    if (origin !== undefined) {
      requireSamePlan(known, planOf(settings, prepared.source.described));
      await saveOrigin(folder, origin);
    }
    const journal = openJournal(context, choice, folder, known);
    await journal.update({
      status: 'running',
      reason: '',
      plan: { ...known.plan, workers: settings.workers },
      process: { host: hostname(), pid: process.pid },
    });
    return await trainOn(context, { prepared, settings, gang, retried }, folder, journal);
  } catch (error) {
    folder.close();
    throw explained(error);
  }
}

async function saveOrigin(folder: RunFolder, origin: Origin): Promise<void> {
  await fileStore(folder.file('plan.json')).save(new TextEncoder().encode(JSON.stringify(origin)));
}

/** Settings that may change when a run is resumed. */
const FREE = new Set(['model', 'workers', 'threads', 'memory']);

function requireSamePlan({ id, plan }: Run, given: Run['plan']): void {
  for (const key of new Set([...Object.keys(plan), ...Object.keys(given)])) {
    if (FREE.has(key) || plan[key] === given[key]) continue;
    const difference =
      plan[key] === undefined
        ? `without ${key}, not with ${given[key]}`
        : `with the ${key} ${plan[key]}, not ${given[key] ?? 'without one'}`;
    throw new SkeinError('RUN_CHANGED', `Run ${id} was started ${difference}.`);
  }
}

/** `20260314-risk-3f9c1e` */
function idOf(name: string, now: Date): string {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 40);
  return `${day}-${slug === '' ? 'run' : slug}-${randomBytes(3).toString('hex')}`;
}

function plannedSteps({ training }: Prepared, settings: Settings): number {
  return Math.ceil(training.count / rowsPerStep(settings)) * settings.epochs;
}

interface Work extends Pick<Place, 'gang' | 'retried'> {
  readonly prepared: Prepared;
  readonly settings: Settings;
}

async function trainOn(
  context: Context,
  { prepared, settings, gang, retried = false }: Work,
  folder: RunFolder,
  journal: Journal,
): Promise<TrainingOutcome> {
  const clip = clipOf(settings);
  const notes = createProgress(context.notes, settings.epochs);
  const job = retried ? createJobProgress(context.notes, settings.epochs) : undefined;
  const store = fileStore(folder.file(CHECKPOINT));
  const checkpoints: CheckpointStore = {
    ...store,
    async save(bytes) {
      await store.save(bytes);
      await gang?.keeper?.give(folder);
    },
  };
  let epochBegan = performance.now();
  let last: Progress | undefined;
  const onEpoch = async (epochs: readonly EpochReport[]): Promise<void> => {
    const now = performance.now();
    const recorded = epochsOf(epochs, journal.run().epochs, {
      learningRate: last?.learningRate ?? rateOf(settings),
      tookMs: now - epochBegan,
    });
    epochBegan = now;
    notes.epoch(recorded.at(-1)!);
    const steps = { ...journal.run().steps, done: last?.step ?? 0 };
    await journal.update({ epochs: recorded, steps });
  };
  try {
    const trained = await trainDistributed(context, gang, { prepared, settings }, (group) =>
      trainTask(prepared.start, prepared.problem, {
        ...(group === undefined ? {} : { group }),
        backend: nativeBackend,
        threads: settings.threads,
        training: prepared.training,
        ...(prepared.validation === undefined ? {} : { validation: prepared.validation }),
        batch: settings.batch,
        accumulate: settings.accumulate,
        optimiser: optimiserOf(settings),
        schedule: scheduleOf(settings, plannedSteps(prepared, settings)),
        ...(clip === undefined ? {} : { clip }),
        ...(settings.freeze === undefined ? {} : { frozen: settings.freeze }),
        epochs: settings.epochs,
        seed: settings.seed,
        ...(settings.earlyStopping === undefined ? {} : { patience: settings.earlyStopping }),
        ...(settings.checkpointEvery === undefined
          ? {}
          : { checkpointEvery: settings.checkpointEvery }),
        checkpoints,
        onProgress(progress) {
          last = progress;
          notes.step(progress);
          const { step, loss, learningRate } = progress;
          journal.step({ step, loss, learningRate });
          job?.step(progress);
        },
        onEpoch,
        signal: context.signal,
      }),
    );
    return await conclude(trained, prepared, folder, journal);
  } catch (error) {
    throw await recordFailure(error, folder, journal);
  }
}

/** Keeps the metrics of earlier epochs; describes the newest. */
function epochsOf(
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

async function conclude(
  trained: TrainedTask,
  { problem }: Prepared,
  folder: RunFolder,
  journal: Journal,
): Promise<TrainingOutcome> {
  const steps = { ...journal.run().steps, done: trained.steps };
  if (trained.stopped === 'signal') {
    await journal.update({ status: 'interrupted', reason: 'It was stopped.', steps });
    return { run: journal.run(), folder };
  }
  const model = writeModel(trained.model);
  await fileStore(folder.file('model.onnx')).save(model);
  const report = trained.report && viewOf(trained.report, problem.blueprint.classes);
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
  return { run: journal.run(), folder, model };
}

/** A confusion matrix of more classes than this is too large to read. */
const LARGEST_MATRIX = 100;
/** Names that a record has room for. */
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
async function recordFailure(
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
