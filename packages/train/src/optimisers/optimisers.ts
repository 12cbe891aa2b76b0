/** The optimisers that a training names, in the order in which options list them: a line each. */
import { adagrad } from './adagrad.ts';
import { adam, adamW } from './adam.ts';
import { lion } from './lion.ts';
import type { Optimiser } from './optimiser.ts';
import { rmsprop } from './rmsprop.ts';
import { sgd } from './sgd.ts';

/** Options of a training that names its optimiser. */
export interface NamedOptions {
  /** Only for one that takes it. */
  readonly momentum?: number;
  readonly weightDecay?: number;
}

export interface NamedOptimiser {
  readonly make: (options: NamedOptions) => Optimiser;
  /** Learning rate of a training that gives none. */
  readonly rate: number;
  readonly takesMomentum: boolean;
}

export const OPTIMISERS = {
  adam: { make: adam, rate: 0.001, takesMomentum: false },
  adamw: { make: adamW, rate: 0.001, takesMomentum: false },
  sgd: { make: sgd, rate: 0.01, takesMomentum: true },
  rmsprop: { make: rmsprop, rate: 0.001, takesMomentum: true },
  adagrad: { make: adagrad, rate: 0.001, takesMomentum: false },
  lion: { make: lion, rate: 0.0001, takesMomentum: false },
} as const satisfies Readonly<Record<string, NamedOptimiser>>;

export type OptimiserName = keyof typeof OPTIMISERS;
export const OPTIMISER_NAMES = Object.keys(OPTIMISERS) as readonly OptimiserName[];
