/**
 * Rules for the local steps of sites: plain descent, a pull to the global model (FedProx), or a
 * correction of drift (SCAFFOLD). Pull and correction are nodes of the training step's graph.
 */
import type { Optimiser } from '../../optimisers/optimiser.ts';
import type { SiteRule, StrategyOptions } from './strategy.ts';

export const plainRule: SiteRule = {
  vectors: 1,
  sent: 1,
  begin: () => ({}),
  end: ({ delta }) => ({ update: delta }),
};

/**
 * FedProx: the gradient of the loss plus μ/2 · ‖p − global‖².
 *
 * Li et al., "Federated Optimization in Heterogeneous Networks" (MLSys 2020), Algorithm 2.
 */
export function proximalRule(mu: number): SiteRule {
  return { ...plainRule, optimiser: pulled(mu), begin: (broadcast) => ({ anchor: broadcast }) };
}

/**
 * A site's own model along with the global one, which pulls it with a strength λ; 0 fine-tunes. The
 * broadcast is the site's model and then the global one, and nothing leaves the site.
 *
 * Li et al., "Ditto: Fair and Robust Federated Learning Through Personalization" (ICML 2021).
 */
export function personalRule(lambda: number): SiteRule {
  return {
    ...plainRule,
    vectors: 2,
    optimiser: pulled(lambda),
    begin: (both) => ({ anchor: both.subarray(both.length / 2) }),
  };
}

/** Descent along the gradient plus `strength` · (p − anchor). */
function pulled(strength: number): Optimiser {
  return {
    name: 'fedprox',
    slots: ['anchor'],
    counts: false,
    begin({ emit, scalar, learningRate }) {
      const factor = scalar(strength);
      return (parameter, gradient, [anchor]) => {
        const pull = emit('Mul', emit('Sub', parameter, anchor!), factor);
        const slope = emit('Add', gradient, pull);
        return {
          parameter: emit('Sub', parameter, emit('Mul', slope, learningRate)),
          state: [emit('Identity', anchor!)],
        };
      };
    },
  };
}

/**
 * SCAFFOLD: each step is corrected by c − cᵢ, where cᵢ estimates this site's gradient and c the gradient of
 * all. By option II of the paper cᵢ changes by −c − Δ ÷ distance, where Δ is the change of the parameters and the distance
 * the sum of the learning rates. A site sends that change too, unless all go the same distance: the server then computes
 * the sum of the changes from the sum of Δ. `uncorrected`, it sends Δ + distance · (c − cᵢ).
 *
 * Karimireddy et al., "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning" (ICML
 * 2020), Algorithm 1.
 */
export function controlledRule({
  distance: ofAll,
  uncorrected = false,
}: StrategyOptions): SiteRule {
  const sent = ofAll === undefined ? 2 : 1;
  const remembered: NonNullable<SiteRule['remembered']> = (given) => {
    const { broadcast, update, memory, distance } = given;
    const control = broadcast.subarray(broadcast.length / 2);
    return control.map((c, i) => {
      const gradient = -update[i]! / distance;
      return uncorrected ? gradient : gradient + (memory?.[i] ?? 0) - c;
    });
  };
  return {
    vectors: 2,
    sent,
    optimiser: {
      name: 'scaffold',
      slots: ['drift'],
      counts: false,
      begin:
        ({ emit, learningRate }) =>
        (parameter, gradient, [drift]) => {
          const corrected = emit('Add', gradient, drift!);
          return {
            parameter: emit('Sub', parameter, emit('Mul', corrected, learningRate)),
            state: [emit('Identity', drift!)],
          };
        },
    },
    begin: (broadcast, memory) => ({ drift: driftOf(broadcast, memory) }),
    end({ broadcast, delta, memory, distance }) {
      const { length } = delta;
      const update = new Float32Array(sent * length);
      update.set(delta);
      if (uncorrected) {
        driftOf(broadcast, memory).forEach((each, i) => (update[i]! += distance * each));
      }
      const next = remembered({ broadcast, update, memory, distance });
      if (sent === 2)
        update.set(
          next.map((each, i) => each - (memory?.[i] ?? 0)),
          length,
        );
      return { update, memory: next };
    },
    remembered,
  };
}

/** c − cᵢ, [length]. */
function driftOf(broadcast: Float32Array, memory: Float32Array | undefined): Float32Array {
  const control = broadcast.subarray(broadcast.length / 2);
  return control.map((c, i) => c - (memory?.[i] ?? 0));
}
