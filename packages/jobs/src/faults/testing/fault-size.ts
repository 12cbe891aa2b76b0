/** How much the tests of faults do: a taste by default, with SKEIN_FULL=1 what is promised. */

export const FULL = process.env['SKEIN_FULL'] === '1';

/** Kills in each test of kills. */
export const roundsOf = (byDefault: number): number => (FULL ? 200 : byDefault);

/** Jobs that wait at once. */
export const QUEUED_JOBS = FULL ? 100_000 : 20_000;

/** Of everything random; in the names of the tests, so that a failure tells it. SKEIN_SEED repeats one. */
export const SEED = Number(process.env['SKEIN_SEED'] ?? Date.now() % 2 ** 31);
