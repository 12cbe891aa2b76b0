/**
 * Skein's own private training as a target of the auditor. Each canary is a row with one large
 * feature of its own, so that its clipped gradient lies along one coordinate of the model and the sum
 * shows all canaries at once: the worst case that an accountant has to cover.
 */
import { GraphBuilder, tensor, withLoss, type LossModel } from '@skein/onnx';
import { dataset, type Dataset } from '../../data/dataset.ts';
import type { AuditTarget } from '../../privacy/audit/audit.ts';
import { clippedStep } from '../../privacy/clipped-step.ts';
import type { Backend } from '../../run/backend.ts';
import { noisePlan, type NoisePlan } from '../encoding/noise-plan.ts';
import { openPrivateTraining } from '../training/private-training.ts';
import { strategyOf } from '../strategies/strategies.ts';
import { addResidues, decodeSum, encodeUpdate, residueCount } from '../encoding/sum-encoding.ts';

export interface PrivateTrainingTarget {
  readonly backend: Backend;
  /** Standard deviation of the noise over the sensitivity. */
  readonly noise: number;
  readonly rounds: number;
  readonly delta: number;
  /** Default 2000. */
  readonly canaries?: number;
  /** Sites that hold the canaries, each with its share of the noise; default 4. */
  readonly sites?: number;
  readonly asking?: Asking;
  /** Release of a round of all sites; a mutant replaces it. */
  readonly round?: (rows: readonly Dataset[], plan: NoisePlan) => Promise<ReleasedRound>;
}

export interface ReleasedRound {
  /** The noisy sum of a round from the given parameters, [canaries]. */
  release(parameters: Float32Array): Promise<Float64Array>;
  close(): Promise<void>;
}

/** Norm that gradients are clipped to. A canary's own is five times as large. */
export const AUDIT_NORM = 1;
const SIGNAL = 10;
const RANGE = 4;
/** Examples per run of the graph. */
const BATCH = 128;
/** Moves the model so little that the canaries' gradients stay clipped. */
const RATE = 0.005;

export function privateTrainingTarget(options: PrivateTrainingTarget): AuditTarget {
  const { backend, noise, rounds, delta, canaries = 2000, sites = 4 } = options;
  const plan = noisePlan({
    encoding: { length: canaries, sites, bits: 16, range: RANGE },
    norm: AUDIT_NORM,
    noise,
    shares: sites,
    colluding: 0,
  });
  const { asking = askedOnce } = options;
  const { round = (rows) => openRound(backend, rows, plan, asking) } = options;
  const claim = {
    kind: 'discrete',
    noise: plan.noise,
    steps: rounds,
    sampling: { kind: 'all' },
  } as const;
  return {
    canaries,
    claim: { mechanisms: [claim], delta },
    async run(included) {
      const chosen = [...included.keys()].filter((i) => included[i]!);
      const rows = Array.from({ length: sites }, (_, site) =>
        canaryRows(
          chosen.filter((_, i) => i % sites === site),
          canaries,
        ),
      );
      const open = await round(rows, plan);
      const strategy = strategyOf('fedavg', { serverRate: RATE, denominator: 1 });
      let state = strategy.initial(new Float32Array(canaries));
      const scores = new Float64Array(canaries);
      for (let at = 0; at < rounds; at++) {
        const sum = await open.release(state.parameters);
        sum.forEach((value, i) => (scores[i] = scores[i]! + value));
        state = strategy.apply(state, sum, 1);
      }
      await open.close();
      return scores;
    },
  };
}

/** A site of the training: what it would send, [residues], with its share of the noise. */
export interface AuditedSite {
  residues(parameters: Float32Array): Promise<Uint32Array>;
}

/** How the answers of the sites become the sum that is released; default: each is asked once. */
export type Asking = (
  sites: readonly AuditedSite[],
  plan: NoisePlan,
) => Promise<Pick<ReleasedRound, 'release'>>;

const askedOnce: Asking = async (sites, { encoding }) => ({
  async release(parameters) {
    const sum = new Uint32Array(residueCount(encoding));
    for (const site of sites) addResidues(sum, await site.residues(parameters), encoding);
    return decodeSum(sum, encoding, sites.length).sum;
  },
});

/** Per-example clipping, Poisson-free full batches, quantisation and a share of the noise at each site. */
async function openRound(
  backend: Backend,
  rows: readonly Dataset[],
  plan: NoisePlan,
  asking: Asking,
): Promise<ReleasedRound> {
  const { encoding } = plan;
  const step = clippedStep((batch) => canaryModel(batch, encoding.length), { batch: BATCH });
  const trainings = await Promise.all(
    rows.map((each) =>
      openPrivateTraining(step, {
        backend,
        rows: each,
        mask: 'mask',
        sampling: { kind: 'all' },
        norm: AUDIT_NORM,
      }),
    ),
  );
  const sites = trainings.map((training) => ({
    async residues(parameters: Float32Array) {
      const { update } = await training.localUpdate(parameters);
      return encodeUpdate({ numbers: update }, encoding);
    },
  }));
  return {
    ...(await asking(sites, plan)),
    close: async () => void (await Promise.all(trainings.map((each) => each.close()))),
  };
}

/** Logistic regression without a bias: inputs `x` [batch, features], `label` and `mask`. */
export function canaryModel(batch: number, features: number): LossModel {
  const graph = new GraphBuilder('canaries');
  const x = graph.input('x', 'float32', [batch, features]);
  const zeros = tensor('float32', [features, 1], new Float32Array(features));
  const [y] = graph.node('MatMul', [x, graph.initializer('w', zeros)], {}, { outputs: ['y'] });
  graph.output(y, 'float32', [batch, 1]);
  return withLoss(graph.model({ opset: 17 }), {
    loss: { kind: 'binary-cross-entropy' },
    target: 'label',
    weights: 'sample',
    weightName: 'mask',
  });
}

/** At least one row: an empty site has one without a signal. */
function canaryRows(chosen: readonly number[], features: number): Dataset {
  const count = Math.max(1, chosen.length);
  const x = new Float32Array(count * features);
  chosen.forEach((feature, row) => (x[row * features + feature] = SIGNAL));
  return dataset({
    x: tensor('float32', [count, features], x),
    label: tensor('float32', [count, 1], new Float32Array(count).fill(1)),
  });
}
