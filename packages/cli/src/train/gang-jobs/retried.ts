/**
 * A training whose command is retried as a whole, such as a job: it resumes the run that is kept in
 * its folder, and starts one when there is none.
 */
import { readRuns } from '@skein/state/runs';
import type { Context } from '../../command.ts';
import { dataFolder, type ConnectionChoice } from '../../connection.ts';
import { explained } from '../failure.ts';
import type { Gang } from '../gang.ts';
import type { Origin } from '../origin.ts';
import { resumeRun, startRun, type TrainingOutcome } from '../training-run.ts';
import { openKeeper } from './keeper.ts';

/**
 * @throws SkeinError RUN_CHANGED when the kept run has another plan; as `startRun` and `resumeRun`
 * do.
 */
export async function startOrGoOn(
  context: Context,
  choice: ConnectionChoice,
  origin: Origin,
  alone: Gang | undefined,
): Promise<TrainingOutcome> {
  const folder = dataFolder(context, choice.data);
  const keeper =
    alone &&
    (await openKeeper(alone, folder).catch((error: unknown) => {
      throw explained(error);
    }));
  const gang = alone && keeper && { ...alone, keeper };
  try {
    const [newest] = await readRuns(folder);
    const place = { gang, retried: true };
    if (newest === undefined) return await startRun(context, choice, origin, place);
    context.notes.line(`Going on with run ${newest.id} after step ${newest.steps.done}.`);
    return await resumeRun(context, choice, newest.id, { ...place, origin });
  } finally {
    await keeper?.close();
  }
}
