/**
 * Local training between exchanges, for links that are too slow to exchange every gradient.
 *
 * Each rank takes H steps with its own optimiser. Then all ranks exchange Δ = the parameters before
 * those steps − the parameters after them, and an outer optimiser takes one step along the mean Δ:
 *
 *   v ← μv + Δ,  p ← p − η(Δ + μv)
 *
 * That is DiLoCo (Douillard et al., "DiLoCo: Distributed Low-Communication Training of Language
 * Models", 2023) with Nesterov's momentum, η = 0.7 and μ = 0.9; with η = 1 and μ = 0 it is local SGD,
 * where parameters are averaged (Stich, "Local SGD Converges Fast and Communicates Little", 2019).
 *
 * The inner optimiser's state stays with its rank. A checkpoint holds the leader's state, from
 * which all ranks resume. The learning rate changes from exchange to exchange, not within one.
 */
import { requireRange } from '../optimisers/optimiser.ts';
import type { Kept } from '../optimisers/updates.ts';
import { fill, viewsOf, type Numbers } from './numbers.ts';
import { HEAD, type Replica } from './replica.ts';
import type { Exchange, Stepper } from './stepper.ts';

export interface LocalTraining {
  /** Steps between exchanges, H. */
  readonly steps: number;
  /** Learning rate of the outer optimiser, η; default 0.7. */
  readonly outerRate?: number;
  /** Momentum of the outer optimiser, μ in [0, 1); default 0.9. */
  readonly outerMomentum?: number;
}

export interface LocalTrainingOptions extends LocalTraining {
  /** Ranks also exchange after every so many steps, such as an epoch's. */
  readonly meetEvery: readonly number[];
}

/** @throws RangeError when an option is out of its range. */
export function localTraining(
  replica: Replica,
  exchange: Exchange,
  { steps, outerRate = 0.7, outerMomentum = 0.9, meetEvery }: LocalTrainingOptions,
): Stepper {
  requireRange('steps', steps, 1, Infinity);
  requireRange('outerRate', outerRate, Number.MIN_VALUE, Infinity);
  requireRange('outerMomentum', outerMomentum, 0, 1);
  const { own, length, gradientsAt, plan } = replica;
  const array = plan.type === 'float64' ? Float64Array : Float32Array;
  const start: Numbers = new array(length);
  const velocity: Numbers = new array(length);
  const velocityOf = (name: string) => `outer.velocity/${name}`;
  const extra: readonly Kept[] = plan.parameters.map((each) => ({
    ...each,
    name: velocityOf(each.name),
  }));
  const velocities = viewsOf(plan.parameters, velocity, velocityOf);
  /** Numbers of this round. */
  let rate = 0;
  let lossSum = 0;
  let weight = 0;

  const meets = (done: number) =>
    done % steps === 0 || meetEvery.some((period) => done % period === 0);

  /** Exchanges; returns what all ranks have together. */
  async function exchangeDeltas(learningRate: number, stop: number): Promise<Numbers> {
    const parameters = replica.parameters();
    own[HEAD.loss] = lossSum;
    own[HEAD.weight] = weight;
    own[HEAD.rate] = learningRate;
    own[HEAD.stop] = stop;
    const statistics = replica.statistics();
    for (let i = 0; i < statistics.length; i++) own[HEAD.length + i] = statistics[i]! * weight;
    for (let i = 0; i < length; i++) own[gradientsAt + i] = (start[i]! - parameters[i]!) * weight;
    lossSum = 0;
    weight = 0;
    return exchange.finish(own);
  }

  function takeOver(sums: Numbers): void {
    const parameters = replica.parameters();
    const total = sums[HEAD.weight]!;
    for (let i = 0; i < length; i++) {
      const moved = sums[gradientsAt + i]! / total;
      velocity[i] = outerMomentum * velocity[i]! + moved;
      start[i]! -= outerRate * (moved + outerMomentum * velocity[i]!);
    }
    parameters.set(start);
    const statistics = replica.statistics();
    for (let i = 0; i < statistics.length; i++) statistics[i] = sums[HEAD.length + i]! / total;
    rate = sums[HEAD.rate]!;
  }

  return {
    extra,
    async begin(step, { learningRate }) {
      const first = await replica.begin(step);
      own.fill(0);
      own[HEAD.rate] = learningRate;
      own.set(velocity, gradientsAt);
      const sums = await replica.share();
      rate = sums[HEAD.rate]!;
      velocity.set(sums.subarray(gradientsAt));
      start.set(replica.parameters());
      return first;
    },
    async step(parts, { learningRate }, at) {
      await replica.gradient(parts, at);
      const loss = own[HEAD.loss]! / own[HEAD.weight]!;
      lossSum += own[HEAD.loss]!;
      weight += own[HEAD.weight]!;
      if (Number.isFinite(loss)) await replica.update(own, rate);
      if (!meets(at + 1)) return { loss, stopped: false };
      const sums = await exchangeDeltas(learningRate, 0);
      if (sums[HEAD.stop]! > 0) return { loss, stopped: true };
      const mean = sums[HEAD.loss]! / sums[HEAD.weight]!;
      if (Number.isFinite(mean)) takeOver(sums);
      return { loss: mean, stopped: false };
    },
    async stop() {
      await exchangeDeltas(0, 1);
    },
    tensors: () => new Map([...replica.tensors(), ...velocities]),
    load(tensors) {
      replica.load(tensors, tensors.has(extra[0]!.name) ? extra : []);
      fill(velocities, tensors);
    },
  };
}
