/**
 * The work of a site by a plan that counts: each row of the site in one cell of each table, in place of an update. What may
 * go wrong with a row, such as a model that fails, puts it into the cell for that, and is no refusal.
 */
import { readModel } from '@skein/onnx';
import { LABELS } from '@skein/train';
import { values } from '@skein/onnx';
import { type Axis, binOf, isNumeric } from '../../statistics/axes.ts';
import { cellOf, countsIn, layoutOf } from '../../statistics/layout.ts';
import type { Plan } from '../../plan/plan.ts';
import type { SiteRows } from '../site-rows.ts';
import { orZeros } from './hidden-faults.ts';
import { openScores } from './scores.ts';
import type { SiteTraining, TrainingOptions } from './training.ts';

export type CountingOptions = Pick<
  TrainingOptions,
  'plan' | 'model' | 'rows' | 'backend' | 'onFault'
>;

/** @throws SkeinError PLAN_INVALID where the model does not take the columns of the plan. */
export async function openCounting({
  plan,
  model,
  rows,
  backend,
  onFault = () => {},
}: CountingOptions): Promise<SiteTraining> {
  const layout = layoutOf(countsIn(plan)!, plan);
  const axes = layout.tables.flatMap((table) => table.axes);
  let fault: unknown;
  const scores = axes.some(({ kind }) => kind === 'score')
    ? await openScores({
        plan,
        model: readModel(model),
        rows: rows.rows,
        backend,
        onFault: (each) => (fault ??= each),
      })
    : async () => new Float64Array(0);
  const counted = countedRows(plan, rows);

  async function count(seat: number): Promise<Float64Array> {
    const found = await scores();
    const binsOfRow = new Map(axes.map((axis) => [axis, readerOf(axis, plan, rows, found)]));
    const counts = new Float64Array(layout.cells);
    const block = layout.block * (layout.blocks === 1 ? 0 : seat);
    for (const row of counted) {
      for (const table of layout.tables) {
        const bins = table.axes.map((axis) => binsOfRow.get(axis)!(row));
        counts[block + cellOf(table, bins)]! += 1;
      }
    }
    return counts;
  }
  return {
    async update(round, _, __, seat = 0) {
      fault = undefined;
      const numbers = await orZeros(
        () => count(seat),
        () => new Float64Array(layout.cells),
        (each) => (fault ??= each),
      );
      if (fault !== undefined) onFault(fault, round);
      return { numbers, weight: 1 };
    },
  };
}

/** The bin of each row on an axis. */
function readerOf(
  axis: Axis,
  { data }: Plan,
  { rows }: SiteRows,
  scores: Float64Array,
): (row: number) => number {
  if (axis.kind === 'label') {
    const labels = values(rows.tensors.get(LABELS)!);
    return (row) => Number(labels[row]);
  }
  if (axis.kind === 'score') return (row) => binOf(axis, scores[row]!);
  const features = rows.tensors.get('features')!;
  const numbers = values(features) as Float32Array;
  const width = features.shape[1]!;
  const place = data.features.findIndex(({ name }) => name === axis.name);
  const valueOf = (row: number): number => numbers[row * width + place]!;
  if (isNumeric(axis)) return (row) => binOf(axis, valueOf(row));
  const { length } = axis.categories;
  return (row) => (valueOf(row) < length ? valueOf(row) : length);
}

/** The rows that count: the first of each patient, where the plan bounds them; a row of an unknown patient does not. */
function countedRows(plan: Plan, { count, patients }: SiteRows): readonly number[] {
  const all = Array.from({ length: count }, (_, row) => row);
  const { patient } = countsIn(plan)!;
  if (patient === undefined) return all;
  const seen = new Map<number, number>();
  return all.filter((row) => {
    const who = patients![row]!;
    const before = seen.get(who) ?? 0;
    seen.set(who, before + 1);
    return who >= 0 && before < patient.rows;
  });
}
