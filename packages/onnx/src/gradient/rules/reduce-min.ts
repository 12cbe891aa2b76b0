/**
 * The gradient goes to the smallest element, in equal parts where several are: a subgradient, as in
 * PyTorch’s amin.
 */
import type { GradientRule } from '../rule.ts';
import { reducedExtremum } from '../shared/reduction.ts';

export const ReduceMin: GradientRule = reducedExtremum;
