/** Findings of a profile that a person should look at before training. */
import type { Profile, Warning } from './result.ts';

/** A column with a larger share of missing values carries little. */
const MOSTLY_MISSING = 0.5;
/** With fewer rows, values differ and columns agree by chance. */
const ENOUGH_ROWS = 20;
/** An estimate of distinct values is this near to their number. */
const NEARLY_ALL = 0.98;
/** Columns that are more alike than this are copies, or one is made from the other. */
const LEAK = 0.9999;

export function warningsOf(profile: Omit<Profile, 'warnings'>): Warning[] {
  const { rows, duplicates, columns, associations } = profile;
  const found: Warning[] = [];
  for (const column of columns) {
    const { name, kind, type, count, missing, distinct, approximate, infinite = 0 } = column;
    const add = (warning: Warning['kind'], message: string): void => {
      found.push({ kind: warning, column: name, message });
    };
    if (rows > 0 && missing / rows > MOSTLY_MISSING) {
      add('missing', `${((100 * missing) / rows).toFixed(1)} % of its values are missing.`);
    }
    if (count > 0 && distinct === 1) add('constant', 'All its values are equal.');
    const least = approximate.includes('distinct') ? NEARLY_ALL : 1;
    const isWhole = kind === 'text' || /INT/.test(type);
    if (count >= ENOUGH_ROWS && isWhole && distinct >= count * least) {
      add('unique', 'All its values differ, as of an identifier: a model can only memorise it.');
    }
    if (infinite > 0) add('infinite', `${infinite} of its values are not finite numbers.`);
  }
  for (const { a, b, value } of associations) {
    if (rows < ENOUGH_ROWS || Math.abs(value) < LEAK) continue;
    found.push({
      kind: 'leak',
      column: b,
      message: `It follows from ${a}: their correlation is ${value.toFixed(4)}. If one is the label, the other gives it away.`,
    });
  }
  if (duplicates > 0) {
    found.push({
      kind: 'duplicates',
      message: `Rows that are equal to an earlier row: ${duplicates}.`,
    });
  }
  return found;
}
