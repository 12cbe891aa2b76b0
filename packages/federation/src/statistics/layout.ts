/**
 * Where each cell of a plan's tables is in the numbers that a site sends. Runs in Node and in the browser.
 *
 *   block of the first site │ block of the second │ …        one block, where the plan does not count by site
 *   table │ table │ …                                        the last axis of a table is the fastest
 */
import { strategyIn } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';
import { type Axis, axisOf, widthOf } from './axes.ts';
import type { AxisTerms, StatisticsTerms } from './terms.ts';

export interface TableLayout {
  readonly axes: readonly Axis[];
  /** Its first cell within a block. */
  readonly offset: number;
  readonly cells: number;
}

export interface CountLayout {
  readonly tables: readonly TableLayout[];
  /** Cells of a block. */
  readonly block: number;
  readonly blocks: number;
  /** All of them. */
  readonly cells: number;
}

/** @returns undefined: the plan trains. */
export const countsIn = (plan: Pick<Plan, 'strategy'>): StatisticsTerms | undefined =>
  strategyIn(plan).counts;

/** The axis in a table of a plan that was checked. */
function known(terms: AxisTerms, data: Plan['data']): Axis {
  const axis = axisOf(terms, data);
  if (axis === undefined) throw new TypeError('The plan has no such axis.');
  return axis;
}

export function layoutOf(
  { tables, bySite }: StatisticsTerms,
  { data, sites }: Pick<Plan, 'data' | 'sites'>,
): CountLayout {
  let block = 0;
  const laid = tables.map((terms): TableLayout => {
    const axes = terms.map((each) => known(each, data));
    const cells = axes.reduce((all, axis) => all * widthOf(axis), 1);
    const offset = block;
    block += cells;
    return { axes, offset, cells };
  });
  // A site has the block of its place in the roster, which any of the most sites may have.
  const blocks = bySite ? sites.maximum : 1;
  return { tables: laid, block, blocks, cells: block * blocks };
}

/** The cell of a row in a table. @param bins the bin on each axis. */
export function cellOf({ axes, offset }: TableLayout, bins: readonly number[]): number {
  return axes.reduce((cell, axis, i) => cell * widthOf(axis) + bins[i]!, 0) + offset;
}

/** The most that one patient adds to the norm of all counts: its rows are in one cell of each table. */
export function sensitivityOf({ tables, patient }: StatisticsTerms): number {
  return Math.sqrt(tables.length) * (patient?.rows ?? 1);
}
