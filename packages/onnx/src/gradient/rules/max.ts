/**
 * The gradient goes to the largest operand, in equal parts where several are: a subgradient, as in
 * PyTorch.
 */
import type { GradientRule } from '../rule.ts';
import { extremum } from '../shared/extremum.ts';

export const Max: GradientRule = extremum;
