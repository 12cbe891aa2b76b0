/** dy as it is. */
import type { GradientRule } from '../rule.ts';

export const Identity: GradientRule = (node) => [node.outputGradients[0]];
