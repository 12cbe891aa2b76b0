/**
 * What sites do in their local steps: plain descent, a pull to the global model (FedProx), or a
 * correction of drift (SCAFFOLD). Pull and correction are nodes of the training step's graph.
 */
import type { Optimiser } from '../../optimisers/optimiser.ts';
import type { SiteRule } from './strategy.ts';

export const plainRule: SiteRule = {
  vectors: 1,
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
 * A site's own model beside the global one, which pulls it with a strength λ; 0 fine-tunes. The
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
 * SCAFFOLD: each step is corrected by c − cᵢ, where cᵢ estimates this site's gradient and c that of
 * all. A site sends the change of its cᵢ too, by option II of the paper.
 *
 * Karimireddy et al., "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning" (ICML
 * 2020), Algorithm 1.
 */
export const controlledRule: SiteRule = {
  vectors: 2,
  optimiser: {
    name: 'scaffold',
    slots: ['drift'],
    counts: false,
    begin: ({ emit, learningRate }) => {
      return (parameter, gradient, [drift]) => ({
        parameter: emit('Sub', parameter, emit('Mul', emit('Add', gradient, drift!), learningRate)),
        state: [emit('Identity', drift!)],
      });
    },
  },
  begin(broadcast, memory) {
    const control = broadcast.subarray(broadcast.length / 2);
    return { drift: control.map((c, i) => c - (memory?.[i] ?? 0)) };
  },
  end({ broadcast, delta, memory, distance }) {
    const { length } = delta;
    const control = broadcast.subarray(length);
    const update = new Float32Array(2 * length);
    update.set(delta);
    const next = new Float32Array(length);
    for (let i = 0; i < length; i++) {
      const before = memory?.[i] ?? 0;
      const after = before - control[i]! - delta[i]! / distance;
      next[i] = after;
      update[length + i] = after - before;
    }
    return { update, memory: next };
  },
};
