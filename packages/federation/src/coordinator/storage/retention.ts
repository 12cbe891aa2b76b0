/**
 * How long federations have been over. A clock that is ten years ahead must not remove a ledger that is kept
 * for half a year, so only time counts that the coordinator has watched: from one look to the next, and at
 * most `MOST_STEP_MS` at once. What is in doubt is kept longer.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { z } from 'zod';

const DAY_MS = 86_400_000;
/** A node that was off for longer keeps what it has for longer. */
export const MOST_STEP_MS = 31 * DAY_MS;

const Watched = z.strictObject({
  /** Wall clock of the last look, in ms since the epoch. */
  at: z.number(),
  /** All time that was watched, in milliseconds. */
  age: z.number(),
  /** The age at which each federation was seen to be over. */
  over: z.record(z.string(), z.number()),
});
export type Watched = z.output<typeof Watched>;

/**
 * The next look.
 * @param over ids of the federations that have ended.
 * @param isFirst of this process: a clock that is behind may not be set yet, and is not believed.
 */
export function watched(
  before: Watched | undefined,
  look: { readonly now: number; readonly over: readonly string[]; readonly isFirst: boolean },
): Watched {
  const { now, over, isFirst } = look;
  const { at, age: earlier, over: known } = before ?? { at: now, age: 0, over: {} };
  const age = earlier + Math.min(Math.max(0, now - at), MOST_STEP_MS);
  return {
    at: isFirst ? Math.max(at, now) : now,
    age,
    over: Object.fromEntries(over.map((id) => [id, known[id] ?? age])),
  };
}

/** Milliseconds that a federation has been over for, as far as they were watched. */
export const overFor = ({ age, over }: Watched, id: string): number => age - (over[id] ?? age);

/** A file that is lost or damaged begins anew: everything is kept for longer. */
export async function readWatched(path: string): Promise<Watched | undefined> {
  try {
    return Watched.parse(readJson(await readFile(path, 'utf8'), JSON_BOUNDS.stored));
  } catch {
    return undefined;
  }
}

export async function writeWatched(path: string, value: Watched): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
