/** How much the fault tests do: a small run by default, the full proof with SKEIN_FULL=1. */

export const FULL = process.env['SKEIN_FULL'] === '1';

/** Kills in each test of kills; SKEIN_ROUNDS runs the full proof in parts. */
export const roundsOf = (byDefault: number): number =>
  FULL ? Number(process.env['SKEIN_ROUNDS'] ?? 200) : byDefault;

/** Jobs that are queued at once. */
export const QUEUED_JOBS = FULL ? 100_000 : 20_000;

/**
 * Seed of everything random; test titles contain it, so that a failure names it. SKEIN_SEED repeats
 * a run.
 */
export const SEED = Number(process.env['SKEIN_SEED'] ?? Date.now() % 2 ** 31);
