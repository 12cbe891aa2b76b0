/**
 * A run from its first file to its last.
 *
 *   prepared → running → finished
 *                    ↘ interrupted (a signal, kill, full disk) → running, from its checkpoint
 *                    ↘ failed (the loss is not a number, or no step can run)
 *
 * The run's folder holds all that is needed to resume before the first step.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Lineage, Run, RunEpoch } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { readModel, writeModel } from '@skein/onnx';
import { openRunFolder, readRun, readRuns, type RunFolder } from '@skein/state/runs';
import type { CheckpointStore } from '../checkpoint/checkpoint.ts';
import { fileStore } from '../checkpoint/file-store.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { SHUFFLES, type Training } from '../task/define-training.ts';
import { trainTask } from '../task/train-task.ts';
import type { EpochReport, Progress } from '../trainer/trainer.ts';
import { explained, explaining, invalidSetting } from './failure.ts';
import type { Gang } from './gang/gang.ts';
import {
  assertGangOptions,
  assertMultiWorkerOptions,
  followGang,
  trainDistributed,
  type Membership,
} from './gang/group.ts';
import { openJournal, type Journal } from './journal.ts';
import { openKeeper } from './gang/keeper.ts';
import { codeVersion, environment } from './lineage.ts';
import { keptOrigin, resolveOrigin, saveOrigin, toOrigin, type Origin } from './origin.ts';
import { CHECKPOINT, conclude, epochsOf, overfitting, recordFailure } from './outcome.ts';
import { withPrepared, type Preparation, type Prepared } from './prepare.ts';
import {
  assertFolder,
  assertOptimiserTakes,
  clipOf,
  optimiserOf,
  planOf,
  rateOf,
  requireSamePlan,
  rowsPerStep,
  scheduleOf,
  settingsOf,
  type Settings,
} from './settings.ts';

export interface RunOptions {
  /** The data folder: the run is kept in `runs/` of it. */
  readonly folder: string;
  /** The gang of this process, whose rank 0 it is; see `gangOf`. */
  readonly gang?: Gang | undefined;
  /**
   * Whether the program is retried as a whole, such as a job: it resumes the newest run of the
   * folder, and starts one when there is none. The ranks of a gang then keep copies of the run.
   */
  readonly retried?: boolean | undefined;
  /** Interrupts the run after its current step; its checkpoint is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Called while the rows are prepared, before the first step. */
  readonly onPreparation?: ((work: Preparation) => void) | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onEpoch?: ((epoch: RunEpoch) => void) | undefined;
  /** Where the training runs, and which ranks it has lost, in words. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** The run can resume from here with its folder, or a copy of it. */
  readonly onCheckpoint?: ((sizeBytes: number) => void) | undefined;
  /** Called with each record of the run that was written, about once a second; must not reject. */
  readonly onRecord?: ((run: Run) => Promise<void>) | undefined;
}

export interface TrainedRun {
  readonly run: Run;
  /** The run's folder. */
  readonly path: string;
  /** Absent when the run was interrupted. */
  readonly model?: Uint8Array | undefined;
}

/**
 * Trains from files into a run folder until the run is finished or the signal aborts.
 *
 * @param given a training, whose paths are relative to the working folder, or the origin of one.
 * @throws SkeinError USAGE, FILE_UNREADABLE, TRAINING_DATA_INVALID, TRAINING_MODEL_UNFIT,
 * TRAINING_DIVERGED, TRAINING_RANK_LOST, STORAGE_FULL; with `retried` also RUN_CHANGED, when the
 * kept run has another plan.
 */
export async function trainRun(given: Training | Origin, options: RunOptions): Promise<TrainedRun> {
  const origin = toOrigin(given);
  assertFolder(options);
  const { folder, gang, retried, onNote } = options;
  if (retried !== true) return startRun(origin, options, gang && { gang });
  const keeper = gang && (await explaining(undefined, () => openKeeper(gang, folder)));
  try {
    const member = gang && { gang, keeper };
    const [newest] = await readRuns(folder);
    if (newest === undefined) return await startRun(origin, options, member);
    onNote?.(`Going on with run ${newest.id} after step ${newest.steps.done}.`);
    return await resumeKept(newest.id, options, { origin, member });
  } finally {
    await keeper?.close();
  }
}

export interface ResumeOptions extends Omit<RunOptions, 'retried'> {
  /** Number of threads that replaces the run's own. */
  readonly workers?: number | undefined;
  /** The training, where it has values that the run's folder cannot hold, such as an optimiser. */
  readonly training?: Training | undefined;
}

/**
 * Resumes a run from its checkpoint. It ends with the same bits as a run that was never interrupted.
 * @throws SkeinError RUN_ACTIVE, RUN_CHANGED, RUN_UNFINISHED, CHECKPOINT_INVALID; as `trainRun` does.
 */
export async function resumeRun(id: string, resumed: ResumeOptions): Promise<TrainedRun> {
  assertFolder(resumed);
  const { gang, workers, training, ...options } = resumed;
  const origin = training && toOrigin(training);
  return resumeKept(id, options, { origin, workers, member: gang && { gang } });
}

/**
 * Trains as a rank of a gang that is not its leader: it computes, and stores nothing but rows that do
 * not fit into memory, and copies of the leader's run when `retried`.
 */
export async function followRun(
  given: Training | Origin,
  {
    folder,
    gang,
    retried,
    onNote = () => undefined,
  }: Pick<RunOptions, 'folder' | 'retried' | 'onNote'> & { readonly gang: Gang },
): Promise<void> {
  await explaining(undefined, async () => {
    const resolved = await resolveOrigin(toOrigin(given));
    const settings = settingsOf(resolved.training);
    assertMultiWorkerOptions(settings, true);
    await withPrepared(resolved, settings, { folder }, async (prepared) => {
      if (retried !== true) return followGang(onNote, { gang }, prepared, settings);
      const keeper = await openKeeper(gang, folder);
      const copies = keeper.take();
      try {
        await followGang(onNote, { gang, keeper }, prepared, settings);
      } finally {
        await keeper.close();
      }
      return copies;
    });
  });
}

/** A training that could begin: what its run would record. */
export interface CheckedTraining {
  readonly name: string;
  readonly threads: number;
  readonly plan: Run['plan'];
  readonly lineage: Pick<Lineage, 'data' | 'parent' | 'code'>;
}

/** Checks a training for several ranks, and writes nothing. @throws SkeinError as `trainRun` does. */
export async function checkTraining(origin: Origin, folder: string): Promise<CheckedTraining> {
  return withNew(origin, { folder }, true, async ({ settings, prepared }) => ({
    name: nameOf(settings, prepared),
    threads: settings.threads,
    plan: planOf(settings, prepared),
    lineage: {
      data: prepared.data,
      parent: prepared.parent,
      code: await codeVersion(origin.cwd, origin.config?.digest),
    },
  }));
}

interface Work {
  readonly prepared: Prepared;
  readonly settings: Settings;
}

/** Prepares a new run. All that can be refused is refused here, before anything is written. */
async function withNew<T>(
  origin: Origin,
  { folder, onPreparation }: Pick<RunOptions, 'folder' | 'onPreparation'>,
  inGang: boolean,
  use: (work: Work) => Promise<T>,
): Promise<T> {
  const resolved = await resolveOrigin(origin);
  const settings = settingsOf(resolved.training);
  assertMultiWorkerOptions(settings, inGang || settings.workers > 1);
  assertGangOptions(settings, inGang);
  assertOptimiserTakes(settings);
  return withPrepared(resolved, settings, { folder, onPreparation }, async (prepared) => {
    const work = { prepared, settings };
    if (settings.earlyStopping !== undefined && prepared.validation === undefined) {
      throw invalidSetting(
        '`earlyStopping` compares the results on validation rows, and there are none: give `validation`, or leave it out.',
      );
    }
    await explaining(undefined, () => {
      optimiserOf(settings);
      scheduleOf(settings, plannedSteps(work));
      clipOf(settings);
    });
    return use(work);
  });
}

function nameOf(settings: Settings, { source }: Prepared): string {
  return (settings.name ?? source.name).slice(0, 128);
}

async function startRun(
  origin: Origin,
  options: RunOptions,
  member: Membership | undefined,
): Promise<TrainedRun> {
  return withNew(origin, options, member !== undefined, async (work) => {
    const { prepared, settings } = work;
    for (const note of prepared.notes) options.onNote?.(note);
    const name = nameOf(settings, prepared);
    const id = idOf(name, new Date());
    const at = new Date().toISOString();
    const first: Run = {
      id,
      name,
      status: 'running',
      reason: '',
      task: prepared.problem.blueprint.task,
      plan: planOf(settings, prepared),
      lineage: {
        data: prepared.data,
        parent: prepared.parent,
        seed: settings.seed,
        code: await codeVersion(origin.cwd, origin.config?.digest),
        environment: environment(),
      },
      steps: { done: 0, planned: plannedSteps(work) },
      epochs: [],
      versions: [],
      process: { host: hostname(), pid: process.pid },
      startedAt: at,
      updatedAt: at,
    };
    return inFolder(options, id, async (folder) => {
      const journal = openJournal(folder, first, options);
      await saveOrigin(folder, origin);
      await fileStore(folder.file('start.onnx')).save(writeModel(prepared.start));
      await journal.update({});
      return trainOn(work, options, member, folder, journal);
    });
  });
}

interface Resumption {
  /** Origin of the settings, when they are given again instead of those that the run has kept. */
  readonly origin: Origin | undefined;
  readonly member: Membership | undefined;
  readonly workers?: number | undefined;
}

async function resumeKept(
  id: string,
  options: RunOptions,
  { origin, member, workers }: Resumption,
): Promise<TrainedRun> {
  return inFolder(options, id, async (folder) => {
    const known = await readRun(folder.path);
    const plan = await readFile(folder.file('plan.json'), 'utf8').catch(() => undefined);
    const bytes = await readFile(folder.file('start.onnx')).catch(() => undefined);
    if (known === undefined || plan === undefined || bytes === undefined) {
      throw new SkeinError('RUN_UNFINISHED', `The files of run ${id} are not in ${folder.path}.`);
    }
    const start = readModel(bytes);
    const resolved = await resolveOrigin(origin ?? keptOrigin(id, plan), start);
    const settings = settingsOf({
      ...resolved.training,
      ...(workers === undefined ? {} : { workers }),
    });
    assertMultiWorkerOptions(settings, member !== undefined || settings.workers > 1);
    const shuffle = SHUFFLES.find((each) => each === known.plan['shuffle']);
    const kept = { start, lineage: known.lineage, shuffle };
    const { folder: data, onPreparation } = options;
    return withPrepared(
      resolved,
      settings,
      { folder: data, kept, onPreparation },
      async (prepared) => {
        // The imports of a configuration may have changed too.
        requireSamePlan(known, planOf(settings, prepared));
        if (origin !== undefined) await saveOrigin(folder, origin);
        const journal = openJournal(folder, known, options);
        await journal.update({
          status: 'running',
          reason: '',
          plan: { ...known.plan, workers: settings.workers },
          process: { host: hostname(), pid: process.pid },
        });
        return trainOn({ prepared, settings }, options, member, folder, journal);
      },
    );
  });
}

/** Holds the run's folder while it is trained, and converts the errors. */
async function inFolder(
  { folder: data }: RunOptions,
  id: string,
  work: (folder: RunFolder) => Promise<TrainedRun>,
): Promise<TrainedRun> {
  const folder = await openRunFolder(data, id);
  try {
    return await work(folder);
  } catch (error) {
    throw explained(error);
  } finally {
    folder.close();
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

function plannedSteps({ prepared: { training }, settings }: Work): number {
  return Math.ceil(training.count / rowsPerStep(settings)) * settings.epochs;
}

async function trainOn(
  work: Work,
  { signal, onProgress, onEpoch, onCheckpoint, onNote = () => undefined }: RunOptions,
  member: Membership | undefined,
  folder: RunFolder,
  journal: Journal,
): Promise<TrainedRun> {
  const { prepared, settings } = work;
  const clip = clipOf(settings);
  const store = fileStore(folder.file(CHECKPOINT));
  const checkpoints: CheckpointStore = {
    ...store,
    async save(bytes) {
      await store.save(bytes);
      await member?.keeper?.give(folder);
      onCheckpoint?.(bytes.byteLength);
    },
  };
  let epochBegan = performance.now();
  let last: Progress | undefined;
  const recordEpoch = async (epochs: readonly EpochReport[]): Promise<void> => {
    const now = performance.now();
    const recorded = epochsOf(epochs, journal.run().epochs, {
      learningRate: last?.learningRate ?? rateOf(settings),
      tookMs: now - epochBegan,
    });
    epochBegan = now;
    onEpoch?.(recorded.at(-1)!);
    const steps = { ...journal.run().steps, done: last?.step ?? 0 };
    await journal.update({ epochs: recorded, steps });
  };
  try {
    const trained = await trainDistributed(onNote, member, work, (group) =>
      trainTask(prepared.start, prepared.problem, {
        group,
        backend: nativeBackend,
        threads: settings.threads,
        training: prepared.training,
        validation: prepared.validation,
        batch: settings.batch,
        accumulate: settings.accumulate,
        optimiser: optimiserOf(settings),
        schedule: scheduleOf(settings, plannedSteps(work)),
        clip,
        frozen: settings.freeze,
        epochs: settings.epochs,
        seed: settings.seed,
        patience: settings.earlyStopping,
        checkpointEvery: settings.checkpointEvery,
        checkpoints,
        onProgress(progress) {
          last = progress;
          onProgress?.(progress);
          const { step, loss, learningRate } = progress;
          journal.step({ step, loss, learningRate });
        },
        onEpoch: recordEpoch,
        signal,
      }),
    );
    const { classes } = prepared.problem.blueprint;
    const model = await conclude(trained, classes, folder, journal);
    const run = journal.run();
    overfitting(run).forEach(onNote);
    return { run, path: folder.path, model };
  } catch (error) {
    throw await recordFailure(error, folder, journal);
  }
}
