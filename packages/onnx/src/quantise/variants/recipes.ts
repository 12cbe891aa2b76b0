/** The variants of a model that are built and measured. */
import type { Layer } from '../layers.ts';
import { planAll, type Form, type Plan } from '../plan.ts';

export interface Recipe {
  readonly name: string;
  readonly summary: string;
  readonly form: Form;
  /** The form of layers that cannot have `form`. */
  readonly otherwise: Form;
  /** Ranges of activations are measured on the user's rows. */
  readonly calibrated: boolean;
}

export const RECIPES: readonly Recipe[] = [
  {
    name: 'int8',
    summary: 'weights and activations of 8 bits, with ranges measured on rows',
    form: 'static',
    otherwise: 'stored8',
    calibrated: true,
  },
  {
    name: 'int8-dynamic',
    summary: 'weights of 8 bits; activations are measured in each run',
    form: 'dynamic',
    otherwise: 'stored8',
    calibrated: false,
  },
  {
    name: 'int8-blocks',
    summary: 'weights of 8 bits in blocks, computed in floats',
    form: 'block8',
    otherwise: 'stored8',
    calibrated: false,
  },
  {
    name: 'int8-stored',
    summary: 'weights of 8 bits, unpacked to floats while the model is loaded',
    form: 'stored8',
    otherwise: 'stored8',
    calibrated: false,
  },
  {
    name: 'int4',
    summary: 'weights of 4 bits in blocks, computed in floats',
    form: 'block4',
    otherwise: 'stored4',
    calibrated: false,
  },
  {
    name: 'int4-stored',
    summary: 'weights of 4 bits in blocks, unpacked to floats while the model is loaded',
    form: 'stored4',
    otherwise: 'stored8',
    calibrated: false,
  },
];

export function planOf({ form, otherwise }: Recipe, layers: readonly Layer[]): Plan {
  return planAll(layers, form, otherwise);
}
