/** The conversion of a model, as `skein deploy` prints it. */
import type { Conversion } from '../deploying/comparison.ts';
import type { Field } from './table.ts';

const COMPARED: Readonly<Record<Conversion['compared']['with'], string>> = {
  file: 'with the given predictions',
  thresholds: 'with the file',
  program: 'with the program that made it',
};

export function conversionFields(conversion: Conversion): Field[] {
  const { source, objective, trees, features, form, sandbox, notes, compared } = conversion;
  const parts = [
    source,
    objective,
    form,
    trees === undefined ? undefined : trees === 0 ? 'linear' : counted(trees, 'tree'),
    features === undefined ? undefined : counted(features, 'feature'),
    sandbox === undefined ? undefined : `in a sandbox (${sandbox})`,
  ];
  return [
    ['converted', parts.filter((part) => part !== undefined).join(', ')],
    ...notes.map((note): Field => ['note', note]),
    [
      'compared',
      `${COMPARED[compared.with]} on ${counted(compared.rows, 'row')}: largest difference ${small(compared.largestDifference)}, allowed ${compared.tolerance}`,
    ],
  ];
}

const small = (difference: number): string =>
  difference === 0 ? '0' : difference.toExponential(1);

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
