/**
 * A limit on what mechanisms spend together whose terms may depend on what earlier ones have released.
 *
 * Theorems of composition take all terms as fixed beforehand. Terms that were chosen after a release could steer each
 * outcome to the order at which it is cheapest. At one order that is fixed beforehand Rényi divergences still add up
 * (Feldman and Zrnic, "Individual Privacy Accounting via a Rényi Filter", NeurIPS 2021), also where trainings run
 * at the same time (Haney et al., "Concurrent Composition for Interactive Differential Privacy with Adaptive
 * Privacy-Loss Parameters", CCS 2023). So a limit is kept at one order, which the terms of the first mechanism choose.
 */
import { epsilonOf } from './accountant.ts';
import { assertDelta, assertMechanism, type Mechanism } from './mechanism.ts';
import { conversionOf, ORDERS, rdpOf } from './rdp.ts';

export interface PrivacyLimit {
  readonly epsilon: number;
  readonly delta: number;
}

/**
 * Amount that counts against a limit: the mechanisms stay within it while this is at most `limit.epsilon`.
 * @param mechanisms in the order in which they began.
 * @throws TrainError `data`.
 */
export function filteredEpsilon(mechanisms: readonly Mechanism[], limit: PrivacyLimit): number {
  assertDelta(limit.delta);
  mechanisms.forEach(assertMechanism);
  const used = mechanisms.filter(({ steps }) => steps > 0);
  const [first] = used;
  if (first === undefined) return 0;
  // The terms of the first depend on no outcome, so that every accountant may count it.
  if (used.length === 1) return epsilonOf(used, limit.delta).epsilon;
  const order = orderFor(first, limit);
  const spent = used.reduce((sum, each) => sum + rdpOf(each, order), 0);
  return Math.max(0, spent + conversionOf(order, limit.delta));
}

/** At others some mechanisms have no known divergence. */
const WHOLE_ORDERS = ORDERS.filter(Number.isInteger);

/** The order at which the mechanism fits into the limit most often. */
function orderFor(mechanism: Mechanism, { epsilon, delta }: PrivacyLimit): number {
  const fits = WHOLE_ORDERS.map(
    (order) => (epsilon - conversionOf(order, delta)) / rdpOf(mechanism, order),
  );
  return WHOLE_ORDERS[fits.indexOf(Math.max(...fits))]!;
}
