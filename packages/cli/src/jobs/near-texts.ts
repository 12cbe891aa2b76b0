/** Texts that are nearly equal, by jobs of the node. */
import type { Source } from '@skein/data/data-set';
import type { Near } from '@skein/data/dedupe';
import type { Statements } from './ask-tables.ts';

export interface NearTexts {
  /** Each text that is in a group, with the centre of its group. */
  readonly pairs: Source;
  /** Groups of more than one text. */
  readonly groups: number;
}

export async function nearTexts(
  { ask, table }: Statements,
  data: Source,
  near: Near,
): Promise<NearTexts> {
  const sql = await import('@skein/data/dedupe');
  const repeats = await table('repeats', sql.repeatsSql([near.column], []), { data });
  const bands = await table('bands', sql.bandsSql(near), { data, repeats });
  const buckets = await table('buckets', sql.BUCKETS_SQL, { bands });
  const candidates = await table('candidates', sql.CANDIDATES_SQL, { bands, buckets });
  const texts = await table('texts', sql.textsSql(near), { data, repeats, candidates });
  let pairs = await table('pairs', sql.pairsSql(near), { texts, candidates });
  for (;;) {
    const [row] = await ask('groups', sql.GROUPS_SQL, { pairs });
    const { groups, areStars } = sql.readGroups(row!);
    if (areStars) return { pairs, groups };
    pairs = await table('stars', sql.STARS_SQL, { pairs });
  }
}
