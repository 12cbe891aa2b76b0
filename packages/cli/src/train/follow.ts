/** `skein train` as a member of a gang that is not its leader: it computes, and keeps nothing. */
import type { Context } from '../command.ts';
import { explained } from './failure.ts';
import type { Gang } from './gang.ts';
import { followGang, requireCompany } from './group.ts';
import { resolveOrigin, type Origin } from './origin.ts';
import { prepare } from './prepare.ts';
import { settingsOf } from './settings.ts';

/** @param scratch a folder for files of rows that are more than fit into memory. */
export async function followRun(
  { notes }: Pick<Context, 'notes'>,
  gang: Gang,
  origin: Origin,
  scratch: string,
): Promise<void> {
  try {
    notes.progress('Reading data and model …');
    const resolved = await resolveOrigin(origin);
    const settings = settingsOf(resolved.training);
    requireCompany(settings, true);
    await followGang(notes, gang, await prepare(resolved, settings, scratch), settings);
  } catch (error) {
    throw explained(error);
  }
}
