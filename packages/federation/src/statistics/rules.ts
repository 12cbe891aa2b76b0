/** Contradictions of a plan that counts, which involve more than one of its terms. */
import type { Rule } from '../plan/kinds/kind.ts';
import { isPrivate } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';
import { axisOf, isNumeric } from './axes.ts';
import { countsIn, layoutOf, sensitivityOf } from './layout.ts';
import type { AxisTerms } from './terms.ts';

/** Numbers of an update: 4 MB of masks. */
const MOST_CELLS = 2 ** 20;

/** A range that every plan that counts may have. */
export const LEAST_ROWS = 1;

/**
 * The most rows of one site in a cell, for a plan that gives no `aggregation.range`: 4095, or fewer where the noise is so
 * small that a share of it would be under 4 levels.
 * @param share standard deviation of a share of the noise, in counts.
 */
export function mostRows(share: number, bits: 8 | 16): number {
  const whole = (2 ** bits - 1) / 2;
  const levels = 2 ** Math.ceil(Math.log2(Math.max(whole / 4096, 4 / share)));
  return Math.max(1, Math.floor(whole / levels));
}

export function countRules(plan: Plan): readonly Rule[] {
  const counts = countsIn(plan);
  if (counts === undefined) return [];
  const { aggregation, data, model, privacy, rounds, sites, task } = plan;
  const axes = counts.tables.flat();
  const unknown = axes.find((axis) => axisOf(axis, data) === undefined);
  if (unknown !== undefined) return [[true, flawOf(unknown)]];
  const resolved = axes.map((axis) => axisOf(axis, data)!);
  const { cells } = layoutOf(counts, { data, sites });
  const bits = 'bits' in aggregation ? aggregation.bits : 16;
  const most = Math.floor((2 ** bits - 1) / 2);
  return [
    [
      resolved.some((axis) => isNumeric(axis) && !isRising(axis.borders)),
      'strategy.tables has an axis whose borders do not rise.',
    ],
    [
      counts.tables.some((table) => new Set(table.map(keyOf)).size < table.length),
      'strategy.tables has a table with an axis twice.',
    ],
    [
      task !== 'binary' && axes.some(({ kind }) => kind === 'score'),
      `strategy.tables counts by score, the logit of the second of two classes, and the task is ${task}.`,
    ],
    [cells > MOST_CELLS, `strategy.tables has ${cells} cells, more than ${MOST_CELLS}.`],
    [
      counts.patient !== undefined && data.features.some(({ kind }) => kind === 'array'),
      'strategy.patient names a column, and rows of arrays have none: leave it out.',
    ],
    [rounds !== 1, `strategy statistics counts once, and rounds is ${rounds}: make it 1.`],
    [
      model.parameters !== cells,
      `model.parameters is ${model.parameters}, and strategy.tables has ${cells} cells.`,
    ],
    [
      isPrivate(privacy) && privacy.clip !== sensitivityOf(counts),
      `privacy.clip follows from strategy.tables and strategy.patient: leave it out.`,
    ],
    [
      isPrivate(privacy) && privacy.denominator !== 1,
      'privacy.denominator is not read with strategy statistics, whose sum is divided by nothing: leave it out.',
    ],
    [
      'range' in aggregation && aggregation.range > most,
      `aggregation.range, the most rows of one site in a cell, is above ${most}, the most of ${bits} bits.`,
    ],
  ];
}

const keyOf = (axis: AxisTerms): string =>
  axis.kind === 'column' ? `column ${axis.name}` : axis.kind;

function flawOf(axis: AxisTerms): string {
  if (axis.kind !== 'column') {
    return 'strategy.tables counts by label, and data.target has no classes.';
  }
  return `strategy.tables counts by the column ${JSON.stringify(axis.name)}, which data.features does not have, or bins a column of categories.`;
}

const isRising = (borders: readonly number[]): boolean =>
  borders.every((each, i) => i === 0 || each > borders[i - 1]!);
