/**
 * A federation in one process: every site's rounds run one after the other on one open training step,
 * so that a thousand sites take the memory of one. It trains as a real federation does, without
 * transport, masks or noise.
 */
import { seededRandom } from '@skein/onnx';
import { shuffled } from '../../data/rows/shuffled.ts';
import { dataError } from '../../train-error.ts';
import {
  openLocalTraining,
  seededBatches,
  type FederatedModel,
  type LocalTrainingOptions,
} from './local-training.ts';
import type { PersonalModels } from './personal.ts';
import { stalenessWeight } from '../strategies/strategies.ts';
import { robustUpdate, type RobustRule } from '../strategies/robust.ts';
import type { ServerState, Strategy } from '../strategies/strategy.ts';

export interface SimulationOptions extends LocalTrainingOptions {
  readonly strategy: Strategy;
  /** Positions of each site's rows in `rows`, which holds the rows of all sites. */
  readonly sites: readonly Uint32Array[];
  readonly rounds: number;
  /** Sites of a round, drawn anew each time; default all. */
  readonly sampled?: number;
  /** Aggregation rule in place of the mean by rows; not with a strategy that trains in turn. */
  readonly robust?: RobustRule;
  /** The first so many sites send ten times the opposite of what they have learnt. Default 0. */
  readonly hostile?: number;
  /** Updates start from a model of up to so many rounds ago, and count less the older it is. Default 0. */
  readonly late?: number;
  /** Trained along with the global model, at each site of a round. */
  readonly personal?: PersonalModels;
  /** Called after each round; `false` ends the simulation. */
  readonly onRound?: (round: SimulatedRound) => Promise<boolean | void> | boolean | void;
}

export interface SimulatedRound {
  /** From 1. */
  readonly round: number;
  readonly state: ServerState;
  /** Mean loss of the sites of the round, weighted by their rows. */
  readonly loss: number;
  /** Rows of the sites of the round. */
  readonly weight: number;
}

/**
 * @returns the state after the last round.
 * @throws TrainError `data` when a site has no rows.
 */
export async function simulate(
  model: FederatedModel,
  options: SimulationOptions,
): Promise<ServerState> {
  const {
    strategy,
    sites,
    rounds,
    sampled = sites.length,
    robust,
    hostile = 0,
    late = 0,
    seed,
  } = options;
  const empty = sites.findIndex(({ length }) => length === 0);
  if (empty >= 0) throw dataError(`Site ${empty} has no rows.`);
  if (!(sampled >= 1 && sampled <= sites.length)) {
    throw dataError(`${sampled} of ${sites.length} sites cannot be drawn.`);
  }
  const training = await openLocalTraining(model, strategy.site, options);
  const memories = new Map<number, Float32Array>();
  /** Broadcasts of this round and of earlier ones, the newest first. */
  const broadcasts: Float32Array[] = [];
  const ages = seededRandom(seed);
  const total = sites.reduce((sum, { length }) => sum + length, 0);
  let state = strategy.initial(model.initial);
  try {
    for (let round = 0; round < rounds; round++) {
      broadcasts.unshift(strategy.broadcast(state));
      broadcasts.splice(late + 1);
      const sum = new Float64Array(strategy.site.sent * model.initial.length);
      /** Only where a rule reads single ones. */
      const updates: Float32Array[] = [];
      let [weight, loss] = [0, 0];
      for (const site of drawn({ round, sites: sites.length, sampled, seed })) {
        const memory = memories.get(site);
        const age = late === 0 ? 0 : Math.floor(ages.next() * broadcasts.length);
        const found = await training.localUpdate(
          broadcasts[age]!,
          { number: round, memory },
          seededBatches(sites[site]!, options, round),
        );
        const ownBatches = seededBatches(sites[site]!, options, round);
        await options.personal?.train(site, state.parameters, round, ownBatches);
        // Not the whole dataset's, which the step is open for.
        const own = sites[site]!.length * stalenessWeight(age);
        const update = site < hostile ? found.update.map((each) => -10 * each) : found.update;
        if (robust === undefined) {
          for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + own * update[i]!;
        } else {
          updates.push(update);
        }
        weight += own;
        loss += own * found.loss;
        if (found.memory !== undefined) memories.set(site, found.memory);
      }
      // A robust aggregate has the weight 1.
      const all = robust === undefined ? total : total / weight;
      const of = { part: robust === undefined ? weight : 1, before: all, after: all };
      state = strategy.apply(
        state,
        robust === undefined ? sum : robustUpdate(updates, robust),
        of.part,
        of,
      );
      const more = await options.onRound?.({
        round: round + 1,
        state,
        loss: loss / weight,
        weight,
      });
      if (more === false) break;
    }
    return state;
  } finally {
    await training.close();
  }
}

/** Positions of the sites of a round: all, or a sample of them. */
function drawn(of: {
  readonly round: number;
  readonly sites: number;
  readonly sampled: number;
  readonly seed: number;
}): readonly number[] {
  if (of.sampled >= of.sites) return Array.from({ length: of.sites }, (_, i) => i);
  const order = shuffled(of.sites, (Math.imul(of.round + 1, 0x9e3779b1) ^ of.seed) >>> 0);
  return [...order.subarray(0, of.sampled)];
}

/** Rows cut into sites of equal size after a seeded shuffle: independent, identically distributed. */
export function equalSites(count: number, sites: number, seed: number): readonly Uint32Array[] {
  const order = shuffled(count, seed);
  return Array.from({ length: sites }, (_, i) =>
    order.slice(Math.floor((i * count) / sites), Math.floor(((i + 1) * count) / sites)),
  );
}
