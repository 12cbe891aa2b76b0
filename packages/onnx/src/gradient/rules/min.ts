/**
 * The gradient goes to the smallest operand, in equal parts where several are: a subgradient, as in
 * PyTorch.
 */
import type { GradientRule } from '../rule.ts';
import { extremum } from '../shared/extremum.ts';

export const Min: GradientRule = extremum;
