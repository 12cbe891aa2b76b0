/**
 * The contract of a federated algorithm: what a site does in a round, and what the server makes of
 * the sum of the sites' updates. The server needs nothing but that sum, so every strategy runs under
 * secure aggregation.
 *
 * An update is what a site changed: its vector after the round minus the one that it received.
 */
import type { Optimiser } from '../../optimisers/optimiser.ts';

/** The server's state between rounds; plain data. */
export interface ServerState {
  /** Rounds applied. */
  readonly round: number;
  /** The global model, [length]. */
  readonly parameters: Float32Array;
  /** Moments and control variates by name, [length] each. */
  readonly slots: Readonly<Record<string, Float32Array>>;
}

export interface Strategy {
  readonly name: StrategyName;
  readonly site: SiteRule;
  initial(parameters: Float32Array): ServerState;
  /** Vectors that every site of the round receives, [vectors × length]. */
  broadcast(state: ServerState): Float32Array;
  /**
   * The next state.
   * @param sum Σ weight · update over the sites of the round, [sent × length].
   * @param weight Σ weight. Ignored when the strategy has a public denominator.
   * @param of SCAFFOLD needs it. Default: all of the federation is in the sum.
   * @throws TrainError `data` when a number of the sum, or of the next state, is not finite.
   */
  apply(
    state: ServerState,
    sum: Float32Array | Float64Array,
    weight: number,
    of?: FederationWeight,
  ): ServerState;
}

/** Σ weight of sites of a federation, in one unit: rows, or sites where they count alike. */
export interface FederationWeight {
  /** Weight of the sites that have added to the sum. */
  readonly part: number;
  /** Weight of the sites of earlier sums, or of more sites: a site that never took part has a control variate of zero. */
  readonly before: number;
  /** Weight with the sites of this sum. */
  readonly after: number;
}

/** A strategy's changes to a site's local steps. */
export interface SiteRule {
  /** Vectors in a broadcast: 2 for SCAFFOLD. */
  readonly vectors: 1 | 2;
  /** Vectors in an update: 2 for SCAFFOLD where sites go different distances. */
  readonly sent: 1 | 2;
  /** Replaces plain SGD; absent where the site may choose its own optimiser. */
  readonly optimiser?: Optimiser;
  /** Values of the optimiser's slots at the start of a round, by slot, [length] each. */
  begin(broadcast: Float32Array, memory: Float32Array | undefined): Record<string, Float32Array>;
  /** The update, and what the site remembers until its next round. */
  end(done: LocalSteps): { readonly update: Float32Array; readonly memory?: Float32Array };
  /** The memory of a site whose update in the sum was clipped or rounded; absent: none. */
  readonly remembered?: (
    sent: Omit<LocalSteps, 'delta'> & { readonly update: Float32Array },
  ) => Float32Array;
}

export interface LocalSteps {
  /** Vectors as received, [vectors × length]. */
  readonly broadcast: Float32Array;
  /** Parameters after the steps minus those before, [length]. */
  readonly delta: Float32Array;
  readonly memory: Float32Array | undefined;
  /** Sum of the learning rates of the steps. */
  readonly distance: number;
}

export const STRATEGY_NAMES = [
  'fedavg',
  'fedprox',
  'fedadam',
  'fedyogi',
  'fedadagrad',
  'scaffold',
  'fedbuff',
] as const;

export type StrategyName = (typeof STRATEGY_NAMES)[number];

export interface StrategyOptions {
  /** Rate by which the server follows the mean update; default 1, for FedAdam and its kin 0.01. */
  readonly serverRate?: number;
  /** FedProx: strength of the pull to the global model, μ; default 0.01. */
  readonly proximal?: number;
  /** FedAdam and its kin: decay of the mean update; default 0.9. */
  readonly beta1?: number;
  /** FedAdam, FedYogi: decay of the squared update; default 0.99. */
  readonly beta2?: number;
  /** FedAdam and its kin: added to the root, τ; default 0.001. */
  readonly tau?: number;
  /**
   * A public number that sums are divided by, in place of the sites' weights. A private training
   * needs it: a divisor that depends on the data is a release without noise.
   */
  readonly denominator?: number | undefined;
  /** FedBuff: updates in a full buffer, by which its sum is divided; required there. */
  readonly buffer?: number;
  /**
   * SCAFFOLD: the sum of the learning rates of a round's steps, where it is the same at all sites. Sites then send
   * one vector: how control variates change follows from how parameters do. Absent: they send both.
   */
  readonly distance?: number;
  /**
   * SCAFFOLD with a `distance`: sites send what they have learnt without the correction, which is nothing in the mean of all
   * sites. Under noise the control variate then has the noise of one round, and not of all rounds before; where sites are absent
   * the mean varies with the sites that are there, as FedAvg's does.
   */
  readonly uncorrected?: boolean;
}
