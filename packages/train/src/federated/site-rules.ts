/**
 * What sites do in their local steps: plain descent, a pull to the global model (FedProx), or a
 * correction of drift (SCAFFOLD). Pull and correction are nodes of the training step's graph.
 */
import type { Optimiser } from '../optimisers/optimiser.ts';
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
  const optimiser: Optimiser = {
    name: 'fedprox',
    slots: ['anchor'],
    counts: false,
    begin({ emit, scalar, learningRate }) {
      const strength = scalar(mu);
      return (parameter, gradient, [anchor]) => {
        const pull = emit('Mul', emit('Sub', parameter, anchor!), strength);
        const slope = emit('Add', gradient, pull);
        return {
          parameter: emit('Sub', parameter, emit('Mul', slope, learningRate)),
          state: [emit('Identity', anchor!)],
        };
      };
    },
  };
  return { ...plainRule, optimiser, begin: (broadcast) => ({ anchor: broadcast }) };
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
