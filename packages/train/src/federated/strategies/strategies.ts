/**
 * The strategies by name. Each is a site rule and a server rule; a server rule turns the mean update
 * into the next global model.
 *
 * FedAvg: McMahan et al. 2017. FedAdam, FedYogi, FedAdagrad: Reddi et al., "Adaptive Federated
 * Optimization" (ICLR 2021), Algorithm 2. FedBuff: Nguyen et al. 2022. SCAFFOLD and FedProx: see
 * `site-rules.ts`.
 */
import { requireRange } from '../../optimisers/optimiser.ts';
import { dataError } from '../../train-error.ts';
import { controlledRule, plainRule, proximalRule } from './site-rules.ts';
import {
  STRATEGY_NAMES,
  type FederationWeight,
  type ServerState,
  type SiteRule,
  type Strategy,
  type StrategyName,
  type StrategyOptions,
} from './strategy.ts';

/** A strategy's step from the mean update. Slots hold its state, [length] each. */
interface ServerRule {
  readonly slots?: Readonly<Record<string, number>>;
  next(state: ServerState, mean: Float64Array, round: RoundSums): Omit<ServerState, 'round'>;
}

interface RoundSums {
  /** Σ weight · update, [sent × length]. */
  readonly sum: ArrayLike<number>;
  readonly of: FederationWeight;
}

interface Parts {
  readonly site: SiteRule;
  readonly server: ServerRule;
  readonly denominator?: number | undefined;
}

const PARTS: Readonly<Record<StrategyName, (options: StrategyOptions) => Parts>> = {
  fedavg: (options) => ({ site: plainRule, server: follow(options) }),
  fedprox: ({ proximal = 0.01, ...options }) => {
    requireRange('proximal', proximal, 0, Infinity);
    return { site: proximalRule(proximal), server: follow(options) };
  },
  fedadam: (options) => ({
    site: plainRule,
    server: adaptive(options, (v, square, beta) => beta * v + (1 - beta) * square),
  }),
  fedyogi: (options) => ({
    site: plainRule,
    server: adaptive(options, (v, square, beta) => v - (1 - beta) * square * Math.sign(v - square)),
  }),
  fedadagrad: (options) => ({
    site: plainRule,
    server: adaptive(options, (v, square) => v + square),
  }),
  scaffold: (options) => ({ site: controlledRule(options), server: controlled(options) }),
  fedbuff: ({ buffer, ...options }) => {
    if (buffer === undefined || !(Number.isSafeInteger(buffer) && buffer > 0)) {
      throw new RangeError(`buffer must be a number of updates, but is ${buffer}.`);
    }
    return { site: plainRule, server: follow(options), denominator: buffer };
  },
};

/** @throws RangeError when an option is out of its range. */
export function strategyOf(name: StrategyName, options: StrategyOptions = {}): Strategy {
  if (!STRATEGY_NAMES.includes(name)) {
    throw dataError(`There is no strategy '${name}': ${STRATEGY_NAMES.join(', ')}.`);
  }
  const parts = PARTS[name](options);
  const { site, server } = parts;
  const denominator = parts.denominator ?? options.denominator;
  if (denominator !== undefined) {
    requireRange('denominator', denominator, Number.MIN_VALUE, Infinity);
  }
  return {
    name,
    site,
    initial: (parameters) => ({
      round: 0,
      parameters: parameters.slice(),
      slots: Object.fromEntries(
        Object.entries(server.slots ?? {}).map(([slot, value]) => [
          slot,
          new Float32Array(parameters.length).fill(value),
        ]),
      ),
    }),
    broadcast({ parameters, slots }) {
      if (site.vectors === 1) return parameters.slice();
      const both = new Float32Array(2 * parameters.length);
      both.set(parameters);
      both.set(slots[CONTROL]!, parameters.length);
      return both;
    },
    apply(state, sum, weight, of = { part: weight, before: weight, after: weight }) {
      const wanted = site.sent * state.parameters.length;
      if (sum.length !== wanted) {
        throw dataError(`The sum has ${sum.length} numbers, not ${wanted}.`);
      }
      const mean = meanOf(sum, denominator ?? weight);
      const next = server.next(state, mean, { sum, of });
      assertFinite('parameters', next.parameters);
      for (const [slot, numbers] of Object.entries(next.slots)) assertFinite(slot, numbers);
      return { ...next, round: state.round + 1 };
    },
  };
}

/**
 * Weight of an update that was computed from a model of so many rounds ago: 1/√(1 + rounds).
 *
 * Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation" (AISTATS 2022), §5.
 */
export function stalenessWeight(rounds: number): number {
  return 1 / Math.sqrt(1 + rounds);
}

const CONTROL = 'control';

function meanOf(sum: Float32Array | Float64Array, divisor: number): Float64Array {
  if (!(divisor > 0 && divisor < Infinity)) {
    throw dataError(`Updates of the total weight ${divisor} have no mean.`);
  }
  const mean = new Float64Array(sum.length);
  for (let i = 0; i < mean.length; i++) {
    if (!Number.isFinite(sum[i])) throw dataError(`Number ${i} of the sum is ${sum[i]}.`);
    mean[i] = sum[i]! / divisor;
  }
  return mean;
}

/** Sites refuse to train from anything else. @throws TrainError `data`. */
function assertFinite(name: string, numbers: Float32Array): void {
  const flaw = numbers.findIndex((each) => !Number.isFinite(each));
  if (flaw < 0) return;
  throw dataError(`Number ${flaw} of the next ${name} would be ${numbers[flaw]}.`);
}

/** p ← p + η · mean. */
function follow({ serverRate = 1 }: StrategyOptions): ServerRule {
  requireRange('serverRate', serverRate, Number.MIN_VALUE, Infinity);
  return {
    next: ({ parameters, slots }, mean) => ({
      parameters: parameters.map((p, i) => p + serverRate * mean[i]!),
      slots,
    }),
  };
}

/** p ← p + η · m / (√v + τ), with v as `second` has it. */
function adaptive(
  { serverRate = 0.01, beta1 = 0.9, beta2 = 0.99, tau = 1e-3 }: StrategyOptions,
  second: (v: number, square: number, beta2: number) => number,
): ServerRule {
  requireRange('serverRate', serverRate, Number.MIN_VALUE, Infinity);
  requireRange('beta1', beta1, 0, 1);
  requireRange('beta2', beta2, 0, 1);
  requireRange('tau', tau, Number.MIN_VALUE, Infinity);
  return {
    slots: { mean: 0, variance: tau ** 2 },
    next({ parameters, slots }, update) {
      const mean = slots['mean']!.map((m, i) => beta1 * m + (1 - beta1) * update[i]!);
      const variance = slots['variance']!.map((v, i) => second(v, update[i]! ** 2, beta2));
      return {
        parameters: parameters.map(
          (p, i) => p + (serverRate * mean[i]!) / (Math.sqrt(variance[i]!) + tau),
        ),
        slots: { mean, variance },
      };
    },
  };
}

/**
 * The control variate c is the mean of the sites' variates, weighted as their updates are: with W for the weight of a
 * federation, W · c grows by the weighted sum of their changes, which is −Σ weight · (c + Δ ÷ distance) where it was not sent.
 * Where sites send no correction, absent sites are taken to have the control variate c.
 */
function controlled({ distance, uncorrected, ...options }: StrategyOptions): ServerRule {
  if (distance !== undefined) requireRange('distance', distance, Number.MIN_VALUE, Infinity);
  if (uncorrected === true && distance === undefined) {
    throw new RangeError('uncorrected needs a distance that is the same at all sites.');
  }
  const followed = follow(options);
  return {
    slots: { [CONTROL]: 0 },
    next(state, mean, round) {
      const { length } = state.parameters;
      const { sum, of } = round;
      const changed = (c: number, i: number): number =>
        distance === undefined ? sum[length + i]! : -of.part * c - sum[i]! / distance;
      const { parameters } = followed.next(state, mean, round);
      const before = uncorrected === true ? of.after : of.before;
      const control = state.slots[CONTROL]!.map((c, i) => (before * c + changed(c, i)) / of.after);
      return { parameters, slots: { [CONTROL]: control } };
    },
  };
}
