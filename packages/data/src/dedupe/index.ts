/** Duplicates of rows, and of texts that are nearly equal. */
export { readOrder, remainingSql, REMOVED_SQL, repeatsSql, requireText } from './exact.ts';
export {
  bandsSql,
  BUCKETS_SQL,
  CANDIDATES_SQL,
  GROUPS_SQL,
  pairsSql,
  readGroups,
  removedSql,
  STARS_SQL,
  textsSql,
  type Near,
} from './near.ts';
export { requireColumns } from '../profile/columns.ts';
