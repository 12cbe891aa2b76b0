/** Refuses a plan that contradicts itself. Runs in Node and in the browser. */
import { SkeinError } from '@skein/api/errors';
import { publicTask } from '@skein/train';
import type { z } from 'zod';
import { aroundOf, type Choice, choicesOf } from './kinds/choices.ts';
import type { Around, Guarantee, Rule } from './kinds/kind.ts';
import { Plan } from './plan.ts';
import { countRules } from '../statistics/rules.ts';

/**
 * Checks a plan that came from elsewhere.
 * @throws SkeinError PLAN_INVALID, naming the fields.
 */
export function checkPlan(value: unknown): Plan {
  const plan = parsed(Plan, value);
  for (const [wrong, reason] of contradictions(plan)) if (wrong) refuse(reason);
  return plan;
}

function categoriesOf(column: Plan['data']['features'][number] | Plan['data']['target']): string[] {
  if (column.kind !== 'category') return [];
  return 'classes' in column ? column.classes : column.categories;
}

const hasTwice = (words: readonly string[]): boolean => new Set(words).size < words.length;

/** The rules of every plan, the rules of its kinds, and the guarantees that a kind needs and another cannot give. */
function contradictions(plan: Plan): readonly Rule[] {
  const choices = choicesOf(plan);
  const around = aroundOf(plan);
  return [
    ...generalRules(plan),
    ...choices.flatMap((one) => choices.flatMap((other) => unmetNeeds(one, other, around))),
    ...choices.flatMap(({ chosen }) => chosen.rules?.(around) ?? []),
    ...countRules(plan),
  ];
}

function generalRules({ data, sites, task }: Plan): readonly Rule[] {
  const columns = [...data.features, data.target];
  const ranges = columns.filter((column) => column.kind === 'number');
  return [
    [hasTwice(columns.map((column) => column.name)), 'data names a column twice.'],
    ...columns.map((column): Rule => [
      hasTwice(categoriesOf(column)),
      `${JSON.stringify(column.name)} of data has a category twice.`,
    ]),
    ...arrayRules(data),
    [
      ranges.some(({ low, high }) => low >= high),
      'data has a range whose low is not below its high.',
    ],
    [
      task !== publicTask(data.target),
      `the task of the plan, or of its model, is ${task}, and data.target is a ${publicTask(data.target)} target.`,
    ],
    [sites.minimum > sites.maximum, 'sites.minimum is above sites.maximum.'],
    [
      sites.threshold > sites.minimum,
      `sites.threshold ${sites.threshold} is above sites.minimum ${sites.minimum}.`,
    ],
  ];
}

/** Numbers of a row: an image of three channels and 1,180 pixels on each side. */
const MOST_ELEMENTS = 2 ** 22;

function arrayRules({ features, scaling }: Plan['data']): readonly Rule[] {
  const array = features.find(({ kind }) => kind === 'array');
  if (array?.kind !== 'array') return [];
  const { low = 0, high = 1, shape } = array;
  const elements = shape.reduce((all, size) => all * size, 1);
  return [
    [
      features.length > 1,
      'data.features has an array, and more features: an array is the only one.',
    ],
    [
      elements > MOST_ELEMENTS,
      `data.features has an array of ${elements} numbers a row, more than ${MOST_ELEMENTS}.`,
    ],
    [low >= high, 'data.features has an array whose low is not below its high.'],
    [
      scaling === 'site',
      'data.scaling site is for columns; an array has the range of the plan: leave it out.',
    ],
  ];
}

/** The guarantees that one kind needs and another cannot give. */
function unmetNeeds(one: Choice, other: Choice, around: Around): readonly Rule[] {
  const excludes = other.chosen.excludes?.(around) ?? {};
  return Object.entries(one.chosen.needs ?? {}).flatMap(([name, need]): Rule[] => {
    const guarantee = name as Guarantee;
    const lack = other.chosen.lacks?.[guarantee];
    const excluded = excludes[guarantee];
    const why = lack ?? excluded?.why;
    if (why === undefined) return [];
    const fix =
      excluded?.fix ?? `take ${choiceOf(other, ({ lacks }) => lacks?.[guarantee] === undefined)}`;
    const instead = choiceOf(one, ({ needs }) => needs?.[guarantee] === undefined);
    const [subject, object] = [one, other].map(({ axis, chosen }) => `${axis} ${chosen.name}`);
    return [[true, `${subject} ${need}, and ${object} ${why}: ${fix}, or take ${instead}.`]];
  });
}

/** More kinds than these are not listed. */
const MOST_LISTED = 3;

function choiceOf({ axis, kinds }: Choice, fits: (kind: Choice['kinds'][number]) => boolean) {
  const names = kinds.filter(fits).map(({ name }) => name);
  return names.length > MOST_LISTED ? `another ${axis}` : `${axis} ${names.join(' or ')}`;
}

export function parsed<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join('.') ?? '';
  // No field: the plan as a whole, for example an unknown field.
  return refuse(`${field === '' ? '' : `${field}: `}${issue?.message ?? 'it is invalid'}.`);
}

export function refuse(reason: string): never {
  throw new SkeinError('PLAN_INVALID', `The plan is refused: ${reason}`);
}
