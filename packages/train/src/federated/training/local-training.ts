/**
 * The work of a site in a round: it loads the global model, trains it on its own rows, and returns the change
 * of the parameters. The training step is opened once and serves every round.
 */
import type { LossModel, NumericTensor } from '@skein/onnx';
import { batcher } from '../../data/batcher.ts';
import type { Dataset } from '../../data/dataset.ts';
import { shuffled } from '../../data/rows/shuffled.ts';
import type { Optimiser } from '../../optimisers/optimiser.ts';
import { sgd } from '../../optimisers/sgd.ts';
import { stateOf, type Kept } from '../../optimisers/updates.ts';
import { viewsOf } from '../../parallel/numbers.ts';
import type { Backend } from '../../run/backend.ts';
import { openStep } from '../../step/step-session.ts';
import { trainingStep, type TrainingStep } from '../../step/training-step.ts';
import { dataError, Diverged, modelError } from '../../train-error.ts';
import { flatten, layoutOf, tensorsOf, type Layout } from './layout.ts';
import type { SiteRule } from '../strategies/strategy.ts';

export interface LocalTrainingOptions {
  readonly backend: Backend;
  /** Default 1. */
  readonly threads?: number;
  /** The site's rows, by the names of the model's inputs. */
  readonly rows: Dataset;
  /** Rows that the model takes at once. */
  readonly batch: number;
  /** Input that is 0 for padding. */
  readonly mask?: string;
  readonly learningRate: number;
  /** Passes over the rows in a round; default 1, unless `steps` is given. */
  readonly epochs?: number;
  /** Steps in a round, in place of `epochs`. */
  readonly steps?: number;
  /** Seed of the row order. It is not secret: no private value is drawn from it. */
  readonly seed: number;
  /** Awaited before each step: training pauses until it resolves, and fails if it throws. */
  readonly beforeStep?: () => Promise<void> | void;
}

export interface LocalUpdate {
  /** The site's message, [sent × length]. */
  readonly update: Float32Array;
  /** Rows of the site. */
  readonly weight: number;
  /** The site's memory for its next round, if any. */
  readonly memory?: Float32Array;
  /** Mean loss of the batches, each before its step. */
  readonly loss: number;
  readonly steps: number;
}

export interface LocalTraining {
  readonly layout: Layout;
  /** Parameters of the given model as one vector. */
  readonly initial: Float32Array;
  /**
   * Trains for a round.
   * @param broadcast vectors from the server of the strategy, [vectors × length].
   * @param batches rows of each step, at most `batch`; default: a seeded order per round.
   * @throws Diverged when a loss is not finite, but after all steps, so the time of a round does not reveal the step.
   */
  localUpdate(
    broadcast: Float32Array,
    round: { readonly number: number; readonly memory?: Float32Array | undefined },
    batches?: Iterable<ArrayLike<number>>,
  ): Promise<LocalUpdate>;
  close(): Promise<void>;
}

export interface FederatedModel {
  readonly step: TrainingStep;
  readonly layout: Layout;
  readonly initial: Float32Array;
}

/**
 * The training step of a federation, which every site and the coordinator derive from the same model.
 * @param optimiser of the local steps; only where the strategy leaves the choice. Default SGD.
 * @throws TrainError `model` when the strategy has an optimiser of its own, or nothing can be trained.
 */
export function federatedModel(
  graded: Pick<LossModel, 'model' | 'loss'> & Partial<Pick<LossModel, 'seeds'>>,
  site: SiteRule,
  optimiser?: Optimiser,
): FederatedModel {
  if (optimiser !== undefined && site.optimiser !== undefined) {
    throw modelError(
      `The strategy has local steps of its own, ${site.optimiser.name}; leave out ${optimiser.name}.`,
    );
  }
  const { model, ...gradientOf } = graded;
  const chosen = site.optimiser ?? optimiser ?? sgd();
  const step = trainingStep(model, { ...gradientOf, optimiser: chosen });
  const layout = layoutOf(step);
  return { step, layout, initial: flatten(layout, step.initial) };
}

export async function openLocalTraining(
  { step, layout, initial }: FederatedModel,
  site: SiteRule,
  options: LocalTrainingOptions,
): Promise<LocalTraining> {
  const { backend, threads = 1, rows, batch, mask, learningRate, seed } = options;
  const inputs = step.inputs.map(({ name }) => name).filter((name) => name !== mask);
  const batches = batcher(rows, { size: batch, inputs, mask });
  const session = await openStep(step, backend, { threads, seed });
  const { length } = layout;
  const everyRow = Uint32Array.from({ length: rows.count }, (_, i) => i);

  function load(parameters: Float32Array, slots: Readonly<Record<string, Float32Array>>): void {
    const state = step.state.map((each): [string, NumericTensor] => [each.name, zeros(each)]);
    const name = site.optimiser?.name ?? '';
    const given = Object.entries(slots).flatMap(([slot, vector]) => [
      ...viewsOf(layout.kept, vector, (parameter) => stateOf(name, slot, parameter)),
    ]);
    session.load(new Map([...tensorsOf(layout, parameters), ...state, ...given]));
  }

  return {
    layout,
    initial,
    async localUpdate(broadcast, { number, memory }, order) {
      if (broadcast.length !== site.vectors * length) {
        throw dataError(
          `The broadcast has ${broadcast.length} numbers, not ${site.vectors * length}.`,
        );
      }
      const parameters = broadcast.subarray(0, length);
      load(parameters, site.begin(broadcast, memory));
      let [loss, steps] = [0, 0];
      let diverged: Diverged | undefined;
      for (const chosen of order ?? seededBatches(everyRow, options, number)) {
        await options.beforeStep?.();
        const { tensors, rows: taken } = batches.fill(Uint32Array.from(chosen), 0);
        const found = await session.step(tensors, learningRate);
        if (!Number.isFinite(found)) {
          diverged ??= new Diverged(
            `The loss is ${found} at local step ${steps} of round ${number}.`,
            new Map([...tensors].map(([name, each]) => [name, copyOf(each)])),
            Uint32Array.from(chosen).slice(0, taken),
          );
        }
        loss += found;
        steps++;
      }
      if (diverged !== undefined) throw diverged;
      const delta = flatten(layout, session.tensors());
      for (let i = 0; i < length; i++) delta[i] = delta[i]! - parameters[i]!;
      const done = site.end({ broadcast, delta, memory, distance: steps * learningRate });
      return { ...done, weight: batches.weight, loss: loss / steps, steps };
    },
    close: () => session.close(),
  };
}

/** Batches of rows in a seeded order, new in each round: `steps` of them, else whole passes. */
export function* seededBatches(
  rows: Uint32Array,
  {
    batch,
    seed,
    steps,
    epochs = 1,
  }: Pick<LocalTrainingOptions, 'batch' | 'seed' | 'steps' | 'epochs'>,
  round: number,
): Generator<Uint32Array> {
  const perPass = Math.ceil(rows.length / batch);
  const total = steps ?? epochs * perPass;
  let order = rows;
  for (let step = 0; step < total; step++) {
    const index = step % perPass;
    if (index === 0) {
      const pass = seed + Math.floor(step / perPass);
      const places = shuffled(rows.length, (Math.imul(round + 1, 0x85ebca77) ^ pass) >>> 0);
      order = places.map((place) => rows[place]!);
    }
    yield order.subarray(index * batch, (index + 1) * batch);
  }
}

/** A copy, because the next batch reuses the memory of this one. */
const copyOf = (each: NumericTensor): NumericTensor => ({ ...each, bytes: each.bytes.slice() });

function zeros({ type, shape }: Kept): NumericTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return { type, shape, bytes: new Uint8Array(count * (type === 'float64' ? 8 : 4)) };
}
