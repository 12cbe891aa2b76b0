/**
 * The form of each layer within a budget. Pure: from errors and bytes of forms to a plan.
 *
 * Every layer begins in its smallest form. The layer that gains most accuracy per byte, or per product that
 * is no longer computed in integers, gets a more exact form, until the error is within its budget; with a budget of bytes, also as long as bytes are
 * left. Errors of layers add up as squares, because roundings are independent.
 */
import type { Form, Plan } from '../plan.ts';

export interface Step {
  readonly form: Form;
  readonly bytes: number;
  /** Weights that are computed in floats where the smallest form computes in integers. Default 0. */
  readonly floats?: number;
  /** Squared relative error of the outputs. */
  readonly cost: number;
}

export interface PlanBudget {
  /** Largest relative error. */
  readonly error: number;
  /** Bytes of all layers. */
  readonly bytes?: number | undefined;
}

/** @param layers the steps of each layer by its name, from the smallest form to the most exact one. */
export function planWithin(
  layers: ReadonlyMap<string, readonly Step[]>,
  { error, bytes = -Infinity }: PlanBudget,
): Plan {
  const at = new Map([...layers.keys()].map((name) => [name, 0]));
  const total = (of: 'bytes' | 'cost'): number =>
    [...layers].reduce((sum, [name, steps]) => sum + steps[at.get(name)!]![of], 0);
  for (;;) {
    const isAccurate = total('cost') <= error ** 2;
    const left = isAccurate ? bytes - total('bytes') : Infinity;
    const next = bestUpgrade(layers, at, left);
    if (next === undefined) break;
    at.set(next.name, next.to);
  }
  return new Map([...layers].map(([name, steps]) => [name, steps[at.get(name)!]!.form]));
}

function bestUpgrade(
  layers: ReadonlyMap<string, readonly Step[]>,
  at: ReadonlyMap<string, number>,
  bytesLeft: number,
): { readonly name: string; readonly to: number } | undefined {
  let best: { readonly name: string; readonly to: number; readonly gain: number } | undefined;
  for (const [name, steps] of layers) {
    const from = at.get(name)!;
    for (let to = from + 1; to < steps.length; to++) {
      const bytes = steps[to]!.bytes - steps[from]!.bytes;
      const less = steps[from]!.cost - steps[to]!.cost;
      if (!(less > 0) || bytes > bytesLeft) continue;
      // A product in floats is worth as much as a byte: it takes about as many times as long.
      const floats = (steps[to]!.floats ?? 0) - (steps[from]!.floats ?? 0);
      const gain = less / Math.max(bytes + floats, 1);
      if (best === undefined || gain > best.gain) best = { name, to, gain };
    }
  }
  return best;
}
