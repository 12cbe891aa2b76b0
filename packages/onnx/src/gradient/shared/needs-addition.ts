/** Refuses what takes a scatter that adds, in operator sets that have none. */
import type { GradientGraph } from '../rule.ts';

export function needsAddition(graph: GradientGraph): never {
  return graph.fail(
    'adding up what was read twice needs opset 16; export the model with that or a newer one',
  );
}
