/** How many sites a phase needs. */
import { SkeinError } from '@skein/api/errors';

/** @throws SkeinError SITES_MISSING. */
export function requireAnswers(phase: string, answered: number, needed: number): void {
  if (answered >= needed) return;
  throw new SkeinError(
    'SITES_MISSING',
    `${answered} sites answered phase ${phase}; the threshold is ${needed}.`,
  );
}
