/** The training of a site by an accepted plan: the model is checked against it, and opened once. */
import { SkeinError } from '@skein/api/errors';
import { mlp, readModel, type Model } from '@skein/onnx';
import {
  assemblePublic,
  blueprintOf,
  clippedStep,
  MASK,
  problemOf,
  secureRandom,
  type Backend,
  type SecureRandom,
} from '@skein/train';
import {
  federatedModel,
  openLocalTraining,
  openPrivateTraining,
  roundedUpdate,
  strategyOf,
  type FederatedModel,
  type Strategy,
} from '@skein/train/federated';
import { canonical } from '@skein/api/canonical';
import type { CommitteeTerms } from '../../plan/committee-terms.ts';
import { aggregationIn, isPrivate, type Noise, samplingIn } from '../../plan/kinds/choices.ts';
import type { Plan } from '../../plan/plan.ts';
import { encodingOf } from '../../plan/encoding.ts';
import { distanceOf, strategyOfPlan } from '../../plan/strategy.ts';
import type { SiteRows } from '../site-rows.ts';
import { estimateFor, readLast, writeLast, type Carried } from './carried.ts';
import { type OnFault, orZeros, withoutFaults } from './hidden-faults.ts';

export interface TrainingOptions {
  readonly plan: Plan;
  /** The ONNX file of the plan. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly rows: SiteRows;
  readonly backend: Backend;
  readonly carried: Carried;
  /** Chooses rows, or whether the site is in a sum; default: the platform's cryptographic generator. */
  readonly random?: SecureRandom;
  /** Called with the reason why an update, or a part of it, is zeros. */
  readonly onFault?: OnFault | undefined;
}

/** The training of a site in a round, before its update is encoded, masked and given noise. */
export interface SiteTraining {
  /**
   * With secure aggregation it rejects for a full disk at most: see `hidden-faults.ts`.
   * @param broadcast float32, [vectors × parameters].
   * @param summed see `estimateFor`.
   * @param seat the place of this site in the roster of the attempt.
   */
  update(
    round: number,
    broadcast: Float32Array,
    summed?: number,
    seat?: number,
  ): Promise<SiteUpdate>;
}

/** Options of work under secure aggregation. */
export interface SecureOptions extends Pick<
  CommitteeTerms,
  'run' | 'plan' | 'planDigest' | 'coordinator'
> {
  /** Ed25519. */
  readonly keys: CryptoKeyPair;
  readonly training: SiteTraining;
}

export interface SiteUpdate {
  /** [parameters]. */
  readonly numbers: ArrayLike<number>;
  /** Rows of the site; not sent with differential privacy. */
  readonly weight: number;
}

/** Rows that a graph takes at once where all of them are used. */
const MOST_BATCH = 256;

/** The part of an update that a site sends; without `isIn` nothing, which a sum does not separate from the others. */
type Release = (update: SiteUpdate) => SiteUpdate & { readonly isIn: boolean };

type Mode = Plan['privacy']['mode'];
const TRAININGS: { readonly [M in Mode]: (options: TrainingOptions) => Promise<SiteTraining> } = {
  none(options) {
    // The sum has no capacity for more, and a refusal would reveal the number of rows.
    const { mostRows = Infinity } = aggregationIn(options.plan).encoding ?? {};
    return localTraining(options, ({ numbers, weight }) => {
      return { numbers, weight: Math.min(weight, mostRows), isIn: true };
    });
  },
  async client(options) {
    const { clip, sampling } = privacyOf(options.plan);
    const { random = secureRandom() } = options;
    // It trains whether it is chosen or not: the time of its answer must not reveal the choice.
    return localTraining(options, ({ numbers }) => {
      const isChosen = random.unit() < samplingIn(sampling).rate;
      // Sites count alike: a weight by rows would reveal their number, and the sum is divided by a public number.
      return { numbers: clipped(numbers, isChosen ? clip : 0), weight: 1, isIn: isChosen };
    });
  },
  patient: privateTraining,
};

/** @throws SkeinError PLAN_CHANGED when the model encodes rows in another way than the plan. */
export async function openTraining(options: TrainingOptions): Promise<SiteTraining> {
  requireSame(options.plan, readModel(options.model));
  return TRAININGS[options.plan.privacy.mode](options);
}

/** Steps of the plan's optimiser on the rows of the site. */
async function localTraining(options: TrainingOptions, release: Release): Promise<SiteTraining> {
  const { plan, rows, backend, carried, onFault = () => {} } = options;
  const { learningRate, steps, batch = rows.count } = plan.local;
  const size = Math.min(batch, rows.count);
  const { strategy, federated } = trainingOf(plan, readModel(options.model), size);
  const training = await openLocalTraining(federated, strategy.site, {
    backend,
    rows: rows.rows,
    batch: size,
    mask: MASK,
    learningRate: learningRate!,
    steps,
    seed: 0,
  });
  requireLength(plan, training);
  const isHidden = aggregationIn(plan).encoding !== undefined;
  return {
    async update(number, broadcast, summed) {
      const kept = await carried.load();
      const before = kept === undefined ? undefined : estimateFor(readLast(kept), number, summed);
      const compute = async (): Promise<Float32Array> =>
        (await training.localUpdate(broadcast, { number, memory: before })).update;
      const zeros = (): Float32Array => new Float32Array(plan.model.parameters);
      const computed = isHidden
        ? await orZeros(compute, zeros, (fault) => onFault(fault, number))
        : await compute();
      const { isIn: isSent, weight, ...given } = release({ numbers: computed, weight: rows.count });
      const { remembered } = strategy.site;
      if (remembered === undefined) return { numbers: given.numbers, weight };
      const numbers = asSummed(plan, { numbers: given.numbers, weight });
      // It continues from the update's part of the sum, not from the update that it has computed.
      const update = Float32Array.from(numbers);
      const sent = { broadcast, update, memory: before, distance: distanceOf(plan.local) };
      const moved = remembered(sent);
      const after = isSent ? moved : (before ?? new Float32Array(moved.length));
      // Before the answer is stored: without it the round is asked for again, and begins as this one.
      await carried.save(writeLast({ round: number, before, after }));
      return { numbers, weight };
    },
  };
}

/** The part of an update in the sum of a plan, without its noise. */
function asSummed(plan: Plan, update: SiteUpdate): ArrayLike<number> {
  if (aggregationIn(plan).encoding === undefined) return update.numbers;
  return roundedUpdate(update, encodingOf(plan, update.numbers.length));
}

/** One step whose gradients are clipped row by row; the noise is added when the sum is encoded. */
async function privateTraining({
  plan,
  model,
  rows,
  backend,
  random = secureRandom(),
  onFault = () => {},
}: TrainingOptions): Promise<SiteTraining> {
  const { clip, sampling } = privacyOf(plan);
  const read = readModel(model);
  const batch = Math.min(rows.count, MOST_BATCH);
  const step = clippedStep((size) => problemOf(read, { batch: size }).graded, { batch });
  let inGraph: unknown;
  const training = await openPrivateTraining(step, {
    backend: withoutFaults(backend, (fault) => (inGraph ??= fault)),
    rows: rows.rows,
    mask: MASK,
    sampling,
    norm: clip,
    random,
  });
  requireLength(plan, training);
  return {
    async update(round, broadcast) {
      inGraph = undefined;
      const update = await orZeros(
        async () => (await training.localUpdate(broadcast)).update,
        () => new Float64Array(plan.model.parameters),
        (fault) => (inGraph ??= fault),
      );
      if (inGraph !== undefined) onFault(inGraph, round);
      return { numbers: update, weight: 1 };
    },
  };
}

/** Values that sites and coordinator derive from a plan and its model. */
export function trainingOf(
  plan: Plan,
  model: Model,
  batch: number,
): { readonly strategy: Strategy; readonly federated: FederatedModel } {
  const strategy = strategyOfPlan(plan);
  return { strategy, federated: federatedModel(problemOf(model, { batch }).graded, strategy.site) };
}

/** A plan's facts of a model: its task, and how many numbers are trained in it. @throws SkeinError TRAINING_MODEL_UNFIT. */
export function modelFacts(model: Model): {
  readonly task: Plan['task'];
  readonly parameters: number;
} {
  const { task } = blueprintOf(model) ?? {};
  if (task === undefined) {
    throw new SkeinError(
      'TRAINING_MODEL_UNFIT',
      'The model has no encoding of rows: `skein federate start` makes one that does.',
    );
  }
  const { graded } = problemOf(model, { batch: 1 });
  return { task, parameters: federatedModel(graded, strategyOf('fedavg').site).layout.length };
}

function requireSame(plan: Plan, model: Model): void {
  const found = blueprintOf(model);
  const wanted = encodingOfRows(plan);
  const isSame =
    canonical([found?.table, found?.arrays]) === canonical([wanted?.table, wanted?.arrays]) &&
    found?.task === plan.task;
  if (isSame) return;
  throw new SkeinError(
    'PLAN_CHANGED',
    'The model encodes rows in another way than the columns of the plan.',
  );
}

/** @throws SkeinError PLAN_CHANGED when the model trains another count of numbers than the plan gives. */
function requireLength(
  { model: { parameters } }: Plan,
  { layout }: { readonly layout: { readonly length: number } },
): void {
  if (layout.length === parameters) return;
  throw new SkeinError(
    'PLAN_CHANGED',
    `The model trains ${layout.length} numbers, and the plan gives ${parameters}.`,
  );
}

/** The encoding that any network over the rows of the plan has. */
function encodingOfRows({ data }: Plan): ReturnType<typeof blueprintOf> {
  const linear = assemblePublic(
    data,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    0,
  );
  return blueprintOf(linear);
}

function privacyOf({ privacy }: Plan): Noise {
  if (!isPrivate(privacy)) throw new TypeError('The plan has no differential privacy.');
  return privacy;
}

/** Scaled down to a norm of `most`. */
function clipped(numbers: ArrayLike<number>, most: number): Float64Array {
  const all = Float64Array.from(numbers);
  const norm = Math.sqrt(all.reduce((sum, each) => sum + each * each, 0));
  return norm > most ? all.map((each) => (each * most) / norm) : all;
}
