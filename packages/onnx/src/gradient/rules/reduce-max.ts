/**
 * The gradient goes to the largest element, in equal parts where several are: a subgradient, as in
 * PyTorch’s amax.
 */
import type { GradientRule } from '../rule.ts';
import { reducedExtremum } from '../shared/reduction.ts';

export const ReduceMax: GradientRule = reducedExtremum;
