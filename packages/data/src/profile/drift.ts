/**
 * Changes between two versions of a table: columns, ranges, categories and distributions.
 *
 * The population stability index compares the shares of deciles or categories: below 0.1 is no
 * change, from 0.25 a large one (Lewis 1994; Siddiqi 2006, "Credit Risk Scorecards"). Two samples
 * of one distribution differ too, by about (B − 1)(1/N + 1/M) for B parts (Yurdakul and Naranjo
 * 2020): less than three deviations above it is no change. The Jensen–Shannon distance is given
 * next to it (base 2, from 0 to 1; Lin 1991, Endres and Schindelin 2003).
 */
import { z } from 'zod';
import { identifier, quoted } from '../engine/sql-text.ts';
import { numberOf, textOf, type Column } from './columns.ts';
import type { Row } from './answers.ts';
import type { ColumnProfile, Profile } from './result.ts';

const MODERATE = 0.1;
const LARGE = 0.25;
/** Share of a part without rows: the logarithm of 0 is infinite. */
const NO_ROWS = 0.0001;
const DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

export interface ColumnChange {
  readonly name: string;
  readonly change: 'none' | 'moderate' | 'large' | 'added' | 'removed' | 'type' | 'not compared';
  readonly stability?: number;
  readonly distance?: number;
  /** Facts in words: another type, values beyond the former range, new categories, more missing. */
  readonly notes: readonly string[];
}

/** Parts of a column, as an expression that has a part's name for each row; undefined: none. */
function partOf(column: Column, before: ColumnProfile, now: ColumnProfile): string | undefined {
  if (before.values !== undefined && now.values !== undefined) return textOf(column);
  if (before.quantiles === undefined || now.kind !== 'number') return undefined;
  const edges = before.quantiles.flatMap(({ share, value }) =>
    DECILES.includes(share) ? [value] : [],
  );
  const cases = [...new Set(edges)].map(
    (edge, at) => `WHEN ${numberOf(column)} <= ${edge}::DOUBLE THEN ${quoted(String(at))}`,
  );
  return `CASE WHEN ${numberOf(column)} IS NULL THEN NULL ${cases.join(' ')} ELSE 'above' END`;
}

const shared = (now: Profile, before: Profile): [ColumnProfile, ColumnProfile][] =>
  now.columns.flatMap((column): [ColumnProfile, ColumnProfile][] => {
    const other = before.columns.find(({ name }) => name === column.name);
    return other === undefined ? [] : [[column, other]];
  });

/** A statement over the tables `data` and `before` with one row for each, `data` first. */
export function driftSql(now: Profile, before: Profile): string | undefined {
  const parts = shared(now, before).flatMap(([column, other], at) => {
    const part = partOf(column, other, column);
    return part === undefined
      ? []
      : [`map_entries(histogram(coalesce(${part}, 'missing'))) AS p${at}`];
  });
  if (parts.length === 0) return undefined;
  const of = (table: string, order: number): string =>
    `SELECT ${order} AS version, ${parts.join(', ')} FROM ${identifier(table)}`;
  return `SELECT * FROM (${of('data', 0)} UNION ALL ${of('before', 1)}) ORDER BY version`;
}

const Parts = z.array(z.object({ key: z.string(), value: z.number() })).nullish();

/** @param rows of the statement; none where there was none. */
export function driftOf(now: Profile, before: Profile, rows: readonly Row[]): ColumnChange[] {
  const [ours, theirs] = rows;
  const changes = shared(now, before).map(([column, other], at): ColumnChange => {
    const counts = [ours, theirs].map(
      (row) => new Map(Parts.parse(row?.[`p${at}`])?.map(({ key, value }) => [key, value])),
    );
    const notes = notesOf(column, other);
    const { name } = column;
    if (column.type !== other.type) return { name, change: 'type', notes };
    const [after, earlier] = counts as [Map<string, number>, Map<string, number>];
    if (after.size === 0 || earlier.size === 0) return { name, change: 'not compared', notes };
    const { stability, distance, usual } = compared(after, earlier);
    const isChanged = stability >= MODERATE && stability > usual;
    const change = isChanged ? (stability >= LARGE ? 'large' : 'moderate') : 'none';
    return { name, change, stability, distance, notes };
  });
  const only = (a: Profile, b: Profile, change: 'added' | 'removed'): ColumnChange[] =>
    a.columns
      .filter(({ name }) => !b.columns.some((column) => column.name === name))
      .map(({ name, type }) => ({ name, change, notes: [type] }));
  return [...changes, ...only(now, before, 'added'), ...only(before, now, 'removed')];
}

/** @returns both measures, and the largest index that two samples of one distribution have. */
function compared(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): { stability: number; distance: number; usual: number } {
  const total = (counts: ReadonlyMap<string, number>): number =>
    [...counts.values()].reduce((sum, count) => sum + count, 0);
  const [n, m] = [total(after), total(before)];
  const parts = new Set([...after.keys(), ...before.keys()]);
  let stability = 0;
  let divergence = 0;
  for (const part of parts) {
    const p = (after.get(part) ?? 0) / n;
    const q = (before.get(part) ?? 0) / m;
    const [a, b] = [Math.max(p, NO_ROWS), Math.max(q, NO_ROWS)];
    stability += (a - b) * Math.log(a / b);
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p / 2) * Math.log2(p / middle);
    if (q > 0) divergence += (q / 2) * Math.log2(q / middle);
  }
  const freedom = parts.size - 1;
  const usual = (1 / n + 1 / m) * (freedom + 3 * Math.sqrt(2 * freedom));
  return { stability, distance: Math.sqrt(Math.max(0, divergence)), usual };
}

/** Names of new categories that are shown. */
const SHOWN = 5;

function notesOf(now: ColumnProfile, before: ColumnProfile): string[] {
  const notes: string[] = [];
  if (now.type !== before.type) notes.push(`type ${now.type}, was ${before.type}`);
  if (now.min !== undefined && before.min !== undefined && now.min < before.min) {
    notes.push(`smallest ${now.min}, was ${before.min}`);
  }
  if (now.max !== undefined && before.max !== undefined && now.max > before.max) {
    notes.push(`largest ${now.max}, was ${before.max}`);
  }
  const share = ({ missing, count }: ColumnProfile): number =>
    missing / Math.max(1, missing + count);
  if (share(now) > share(before) + 0.01) {
    notes.push(
      `missing ${(100 * share(now)).toFixed(1)} %, was ${(100 * share(before)).toFixed(1)} %`,
    );
  }
  const { values } = before;
  if (now.kind !== 'number' && now.values !== undefined && values !== undefined) {
    const fresh = now.values.filter((each) => !values.some(({ value }) => value === each.value));
    if (fresh.length > 0) {
      const more = fresh.length > SHOWN ? ` and ${fresh.length - SHOWN} more` : '';
      notes.push(
        `new: ${fresh
          .slice(0, SHOWN)
          .map(({ value }) => value)
          .join(', ')}${more}`,
      );
    }
  }
  return notes;
}
