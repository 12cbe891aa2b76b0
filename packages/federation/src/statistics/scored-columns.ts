/** Whether a model scores rows by the columns of a plan: checked by the coordinator at its start, and by each site. */
import { SkeinError } from '@skein/api/errors';
import type { Model } from '@skein/onnx';
import { blueprintOf } from '@skein/train';
import type { Plan } from '../plan/plan.ts';

/**
 * Places of the model's columns among the plan's, which may have more to count by; none for arrays.
 * @throws SkeinError PLAN_INVALID for a column that the plan does not have, or has in another form.
 */
export function scoredColumns(model: Model, { data, task }: Plan): readonly number[] {
  const blueprint = blueprintOf(model);
  if (blueprint === undefined || blueprint.task !== task) {
    throw unfit('has no encoding of rows, or has another task');
  }
  const [array] = data.features;
  if (array?.kind === 'array') {
    const { arrays } = blueprint;
    const fits = arrays?.type === array.type && arrays.shape.join() === array.shape.join();
    if (fits) return [];
    throw unfit(`takes no ${array.type} [${array.shape.join(', ')}]`);
  }
  const { table } = blueprint;
  if (table === undefined) throw unfit('does not take the columns of a table');
  return table.features.map((feature) => {
    const place = data.features.findIndex(({ name }) => name === feature.name);
    const column = data.features[place];
    const fits =
      column !== undefined &&
      (column.kind === 'category'
        ? feature.kind === 'category' &&
          feature.categories.join('\n') === column.categories.join('\n')
        : feature.kind === 'number' &&
          column.kind === 'number' &&
          (column.fill === undefined || feature.fill !== undefined));
    if (fits) return place;
    throw unfit(
      `takes the column "${feature.name}", and data.features lacks it, or has it in another form`,
    );
  });
}

const unfit = (why: string): SkeinError =>
  new SkeinError('PLAN_INVALID', `The plan is refused: its model ${why}.`);
