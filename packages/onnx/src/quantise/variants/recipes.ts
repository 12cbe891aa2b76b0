/** The variants of a model that are built and measured. */
import { bytesIn } from '../forms/rounding.ts';
import type { Layer } from '../layers.ts';
import { permits, type Form } from '../plan.ts';
import type { Step } from './budget.ts';
import type { Sensitivity } from './sensitivity.ts';

export interface Recipe {
  readonly name: string;
  readonly summary: string;
  /** Forms of a layer in the order in which they are tried, each with the form of layers that cannot have it. */
  readonly steps: readonly (readonly [Form, Form])[];
  /** Ranges of activations are measured on the user's rows. */
  readonly calibrated?: true;
}

export const RECIPES: readonly Recipe[] = [
  {
    name: 'int8',
    summary: 'weights and activations of 8 bits, with ranges measured on rows',
    steps: [
      ['static', 'stored8'],
      ['stored8', 'stored8'],
    ],
    calibrated: true,
  },
  {
    name: 'int8-dynamic',
    summary: 'weights of 8 bits; activations are measured in each run',
    steps: [['dynamic', 'stored8']],
  },
  {
    name: 'int8-blocks',
    summary: 'weights of 8 bits in blocks, computed in floats',
    steps: [['block8', 'stored8']],
  },
  {
    name: 'int8-stored',
    summary: 'weights of 8 bits, unpacked to floats while the model is loaded',
    steps: [['stored8', 'stored8']],
  },
  {
    name: 'int4',
    summary: 'weights of 4 bits in blocks, sensitive layers in 8 bits',
    steps: [
      ['block4', 'stored4'],
      ['block8', 'stored8'],
    ],
  },
  {
    name: 'int4-stored',
    summary:
      'weights of 4 bits in blocks, sensitive layers in 8 bits, unpacked while the model is loaded',
    steps: [
      ['stored4', 'stored4'],
      ['stored8', 'stored8'],
    ],
  },
];

/** The forms of each layer, from the smallest to floats. */
export function stepsOf(
  { steps }: Recipe,
  layers: readonly Layer[],
  { costs }: Sensitivity,
): ReadonlyMap<string, readonly Step[]> {
  return new Map(
    layers.map((layer) => {
      const forms = steps.map(([form, otherwise]) => (permits(layer, form) ? form : otherwise));
      const all = [...new Set<Form>([...forms, 'float'])];
      const own = all.map((form) => {
        const cost = form === 'float' ? 0 : (costs.get(layer.name)?.get(form) ?? 0);
        const floats = all[0] === 'static' && form !== 'static' ? weightsOf(layer) : 0;
        return { form, bytes: bytesIn(layer, form), floats, cost };
      });
      return [layer.name, own] as const;
    }),
  );
}

const weightsOf = ({ weights }: Layer): number =>
  weights.reduce((sum, { numbers }) => sum + numbers.length, 0);
