/** `skein train` as a member of a gang that is not its leader: it computes, and stores nothing. */
import type { Context } from '../command.ts';
import { explained } from './failure.ts';
import { openKeeper } from './gang-jobs/keeper.ts';
import type { Gang } from './gang.ts';
import { followGang, assertMultiWorkerOptions } from './group.ts';
import { resolveOrigin, type Origin } from './origin.ts';
import { prepare } from './prepare.ts';
import { settingsOf } from './settings.ts';

/**
 * @param scratch a folder for files of rows that are more than fit into memory.
 * @param keeps the folder for copies of the leader's run, when the gang is retried as a whole.
 */
export async function followRun(
  { notes }: Pick<Context, 'notes'>,
  gang: Gang,
  origin: Origin,
  scratch: string,
  keeps?: string,
): Promise<void> {
  try {
    notes.progress('Reading data and model …');
    const resolved = await resolveOrigin(origin);
    const settings = settingsOf(resolved.training);
    assertMultiWorkerOptions(settings, true);
    const prepared = await prepare(resolved, settings, scratch);
    if (keeps === undefined) {
      await followGang(notes, gang, prepared, settings);
      return;
    }
    const keeper = await openKeeper(gang, keeps);
    const copies = keeper.take();
    try {
      await followGang(notes, { ...gang, keeper }, prepared, settings);
    } finally {
      await keeper.close();
    }
    await copies;
  } catch (error) {
    throw explained(error);
  }
}
