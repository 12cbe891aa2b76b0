/** The training of a site by an accepted plan: the model is checked against it, and opened once. */
import { SkeinError } from '@skein/api/errors';
import { mlp, readModel, type Model } from '@skein/onnx';
import {
  assemblePublic,
  blueprintOf,
  MASK,
  problemOf,
  type Backend,
  type Encoder,
} from '@skein/train';
import {
  federatedModel,
  openLocalTraining,
  strategyOf,
  type FederatedModel,
  type LocalTraining,
  type Strategy,
} from '@skein/train/federated';
import { canonical } from '../../plan/canonical.ts';
import type { Plan } from '../../plan/plan.ts';
import type { SiteRows } from '../site-rows.ts';

export interface LocalOptions {
  readonly plan: Plan;
  /** The ONNX file of the plan. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly rows: SiteRows;
  readonly backend: Backend;
}

export interface PlanTraining {
  readonly strategy: Strategy;
  readonly federated: FederatedModel;
}

/**
 * What sites and coordinator derive from a plan and its model.
 * @throws SkeinError PLAN_CHANGED when the model encodes rows in another way than the plan says.
 */
export function trainingOf(plan: Plan, model: Model, batch: number): PlanTraining {
  const found = blueprintOf(model);
  if (canonical(found?.table) !== canonical(encoderOf(plan)) || found?.task !== plan.task) {
    throw new SkeinError(
      'PLAN_CHANGED',
      'The model does not encode rows as the columns of the plan say.',
    );
  }
  const strategy = strategyOfPlan(plan);
  const { graded } = problemOf(model, { batch });
  return { strategy, federated: federatedModel(graded, strategy.site) };
}

/** Opens the training of a site. */
export function openPlanTraining(options: LocalOptions): Promise<LocalTraining> {
  const { plan, rows, backend } = options;
  const { learningRate, steps, batch = rows.count } = plan.local;
  const size = Math.min(batch, rows.count);
  const { strategy, federated } = trainingOf(plan, readModel(options.model), size);
  return openLocalTraining(federated, strategy.site, {
    backend,
    rows: rows.rows,
    batch: size,
    mask: MASK,
    learningRate,
    steps,
    seed: 0,
  });
}

/** The strategy with the options that the plan gives. */
export function strategyOfPlan({ strategy: given, privacy }: Plan): Strategy {
  const denominator = privacy.mode === 'none' ? {} : { denominator: privacy.denominator };
  const { name, ...options } = given;
  const { learningRate, mu, ...adaptive } = { learningRate: undefined, mu: undefined, ...options };
  return strategyOf(name === 'fedsgd' ? 'fedavg' : name, {
    ...denominator,
    ...adaptive,
    ...(learningRate === undefined ? {} : { serverRate: learningRate }),
    ...(mu === undefined ? {} : { proximal: mu }),
  });
}

function encoderOf({ data }: Plan): Encoder | undefined {
  const linear = assemblePublic(
    data,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    0,
  );
  return blueprintOf(linear)?.table;
}

/** What a plan says of a model: its task, and how many numbers are trained in it. */
export function modelFacts(model: Model): {
  readonly task: Plan['task'];
  readonly parameters: number;
} {
  const { task } = blueprintOf(model) ?? {};
  if (task === undefined) {
    throw new SkeinError(
      'TRAINING_MODEL_UNFIT',
      'The model does not say how it encodes rows: `skein federate start` makes one that does.',
    );
  }
  const { graded } = problemOf(model, { batch: 1 });
  return { task, parameters: federatedModel(graded, strategyOf('fedavg').site).layout.length };
}
