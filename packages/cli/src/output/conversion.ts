/** The conversion of a model, as `skein deploy` prints it. */
import type { Conversion } from '../deploying/foreign-model.ts';
import type { Field } from './table.ts';

export function conversionFields({
  source,
  objective,
  trees,
  features,
  notes,
  compared,
}: Conversion): Field[] {
  const parts = [
    source,
    objective,
    trees === 0 ? 'linear' : counted(trees, 'tree'),
    counted(features, 'feature'),
  ];
  const from = compared.with === 'file' ? 'with the given predictions' : 'with the file';
  return [
    ['converted', parts.join(', ')],
    ...notes.map((note): Field => ['note', note]),
    [
      'compared',
      `${from} on ${counted(compared.rows, 'row')}: largest difference ${small(compared.largestDifference)}, allowed ${compared.tolerance}`,
    ],
  ];
}

const small = (difference: number): string =>
  difference === 0 ? '0' : difference.toExponential(1);

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
