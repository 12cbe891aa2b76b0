/**
 * The ways in which `skein train` starts: a new run, a resumed run, as a rank of a gang, or as
 * jobs.
 */
import {
  followRun,
  jobProgress,
  originOf,
  resumeRun,
  trainAsJobs,
  trainRun,
  type Gang,
  type Origin,
  type RunOptions,
  type TrainedRun,
} from '@skein/train/run';
import type { Context } from '../command-line/command.ts';
import { dataFolder, type ConnectionChoice } from '../connection/connection.ts';
import { connectOrStart } from '../jobs/embedded.ts';
import { bar } from '../output/notes.ts';
import { usageError } from '../command-line/usage.ts';
import { placedVersions } from './data-version.ts';
import { optionWords, type Flags } from './options.ts';
import { createProgress } from './progress.ts';
import { findRun, runReporter } from './runs.ts';

interface Way {
  /** The run to resume. */
  readonly resume: string | undefined;
  readonly retried: boolean;
  /** Jobs to train with. */
  readonly ranks: number | undefined;
  /** The gang that this process is a member of. */
  readonly gang: Gang | undefined;
}

interface Given {
  readonly flags: Flags;
  /** A configuration file. */
  readonly config: string | undefined;
}

/** @throws SkeinError USAGE for options that exclude each other. */
export function requireOneWay({ resume, retried, ranks, gang }: Way, { flags }: Given): void {
  if (ranks !== undefined && gang !== undefined) {
    throw usageError('--gang starts a gang, but this process is a member of one already.');
  }
  if (ranks !== undefined && (resume !== undefined || retried || flags.workers !== undefined)) {
    throw usageError(
      '--gang starts a training whose ranks are jobs; it takes none of --resume, --retried and --workers.',
    );
  }
  if (retried && resume !== undefined) {
    throw usageError('--retried finds the run to resume; it takes no --resume.');
  }
  if (resume !== undefined && gang !== undefined && gang.rank > 0) {
    throw usageError(
      '--resume is for rank 0, which keeps the run; start the other ranks with the original arguments.',
    );
  }
}

/** @returns `undefined` for a rank of a gang that is not its leader. */
export async function begin(
  context: Context,
  choice: ConnectionChoice,
  { resume, retried, ranks, gang }: Way,
  given: Given,
): Promise<TrainedRun | undefined> {
  const { notes, signal } = context;
  notes.progress('Reading data and model …');
  const folder = dataFolder(context, choice.data);
  const onNote = (text: string) => notes.line(optionWords(text));
  const progress = createProgress(notes);
  const report = retried ? jobProgress(onNote) : undefined;
  const options: RunOptions = {
    folder,
    gang,
    retried,
    signal,
    onNote,
    onPreparation: (work) => progress.preparation(work),
    onProgress(step) {
      progress.step(step);
      report?.onProgress(step);
    },
    onCheckpoint: (sizeBytes) => report?.onCheckpoint(sizeBytes),
    onEpoch: (epoch) => progress.epoch(epoch),
    onRecord: runReporter(context, choice),
  };
  if (resume !== undefined) return resumed(context, choice, resume, options, given);
  const origin = {
    ...(await originOf(context.cwd, given.flags, given.config)),
    versions: await placedVersions(context, choice, given.flags),
  };
  if (gang !== undefined && gang.rank > 0) {
    await followRun(origin, { folder, gang, retried, onNote });
    return undefined;
  }
  if (ranks === undefined) return trainRun(origin, options);
  return trainOnNode(context, choice, origin, ranks);
}

/** On ranks that are jobs of a node: the one that is named or runs here, or one that is started. */
async function trainOnNode(
  context: Context,
  choice: ConnectionChoice,
  origin: Origin,
  ranks: number,
): Promise<TrainedRun> {
  const { notes, signal } = context;
  const connection = await connectOrStart(context, choice, true);
  const training = trainAsJobs(origin, {
    client: connection.client,
    ranks,
    folder: dataFolder(context, choice.data),
    signal,
    onNote: (text) => notes.line(text),
    onProgress: (fraction, message) => notes.step(`${bar(fraction, 20)} ${message}`),
  });
  const ended = training
    .catch(() => undefined)
    .then(() => connection.close())
    .then(() => notes.clear());
  context.onInterrupt(() => ended);
  await ended;
  return training;
}

/** A resumed run keeps its plan; the number of workers may differ. */
async function resumed(
  context: Context,
  choice: ConnectionChoice,
  resume: string,
  options: RunOptions,
  { flags: { workers, ...others }, config }: Given,
): Promise<TrainedRun> {
  const names = [...Object.keys(others), ...(config === undefined ? [] : ['config'])];
  if (names.length > 0) {
    throw usageError(
      `--resume continues with the options that the run was started with; it takes --workers, but none of ${names.join(', ')}.`,
    );
  }
  const { id } = await findRun(context, choice, resume);
  return resumeRun(id, { ...options, workers });
}
