/**
 * The ways in which `skein train` starts: a new run, a resumed run, as a rank of a gang, or as
 * jobs.
 */
import type { Context } from '../command.ts';
import type { ConnectionChoice } from '../connection.ts';
import { usageError } from '../usage.ts';
import { findRun } from './find-run.ts';
import { trainAsGang } from './gang-jobs/gang-jobs.ts';
import { startOrGoOn } from './gang-jobs/retried.ts';
import type { Gang } from './gang.ts';
import { originOf, type Flags } from './origin.ts';
import { resumeRun, startRun, type TrainingOutcome } from './training-run.ts';

interface Way {
  /** The run to resume. */
  readonly resume: string | undefined;
  readonly retried: boolean;
  /** Jobs to train with. */
  readonly ranks: number | undefined;
  /** The gang that this process is a member of. */
  readonly member: Gang | undefined;
}

/** @throws SkeinError USAGE for options that exclude each other. */
export function requireOneWay({
  resume,
  retried,
  ranks,
  member,
  workers,
}: Way & { readonly workers: number | undefined }): void {
  if (ranks !== undefined && member !== undefined) {
    throw usageError('--gang starts a gang, but this process is a member of one already.');
  }
  if (ranks !== undefined && (resume !== undefined || retried || workers !== undefined)) {
    throw usageError(
      '--gang starts a training whose ranks are jobs; it takes none of --resume, --retried and --workers.',
    );
  }
  if (retried && resume !== undefined) {
    throw usageError('--retried finds the run to go on with by itself; it takes no --resume.');
  }
}

export async function begin(
  context: Context,
  choice: ConnectionChoice,
  {
    resume,
    retried,
    ranks,
    member,
    flags,
    config,
  }: Way & { readonly flags: Flags; readonly config: string | undefined },
): Promise<TrainingOutcome> {
  if (resume !== undefined) {
    const given = config === undefined ? flags : { ...flags, config };
    return resumed(context, choice, { resume, member }, given);
  }
  const origin = await originOf(context.cwd, flags, config);
  if (ranks !== undefined) return trainAsGang(context, choice, origin, ranks);
  if (retried) return startOrGoOn(context, choice, origin, member);
  return startRun(context, choice, origin, { gang: member });
}

/** A resumed run keeps its plan; the number of workers may differ. */
async function resumed(
  context: Context,
  choice: ConnectionChoice,
  { resume, member }: { readonly resume: string; readonly member: Gang | undefined },
  { workers, ...others }: Flags & { readonly config?: string },
): Promise<TrainingOutcome> {
  const names = Object.keys(others);
  if (names.length > 0) {
    throw usageError(
      `--resume goes on with what the run was started with; it takes --workers, but none of ${names.join(', ')}.`,
    );
  }
  const { id } = await findRun(context, choice, resume);
  return resumeRun(context, choice, id, { gang: member, workers });
}
