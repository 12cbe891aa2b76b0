/**
 * Builds a variant within a budget of error: a plan from the sensitivity of the layers, a model, its
 * measured error, and again with a tighter plan where the estimate was too low.
 */
import { writeModel, type Model } from '../../model/model.ts';
import type { TensorMap } from '../../tensor/tensor.ts';
import { withOpen, type Evaluator } from '../evaluator.ts';
import type { Range } from '../grid.ts';
import type { Layer } from '../layers.ts';
import { bitsOf, permits, type Form, type Plan } from '../plan.ts';
import { quantise } from '../rewrite.ts';
import { planWithin, type Step } from './budget.ts';
import { answersOf, differenceOf } from './compare.ts';
import { stepsOf, type Recipe } from './recipes.ts';
import { sensitivityOf, type Sensitivity } from './sensitivity.ts';
import { staticVariant } from './static-variant.ts';

export interface BuildOptions {
  readonly base: Model;
  readonly layers: readonly Layer[];
  /** Costs of weights alone; activations are measured where a recipe needs them. */
  readonly sensitivity: Sensitivity;
  /** Samples that plans are compared on. */
  readonly samples: readonly TensorMap[];
  /** Absent: there are no rows. */
  readonly calibration?: readonly TensorMap[] | undefined;
  readonly evaluator: Evaluator;
  readonly weightBits: 7 | 8;
  readonly maxError: number;
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Built {
  readonly plan: Plan;
  readonly model: Model;
  /** Relative error of the outputs that each layer causes in its form, by its name; estimated. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Plans that are tried: each has at most nine tenths of the error budget of the one before. */
const ATTEMPTS = 5;
const TIGHTER = 0.9;
const LOOSEST_STEP = 0.3;
const COMPARED = 8;

/** @throws RangeError when no layer can have the recipe's form; OnnxError as `quantise` does. */
export async function buildVariant(recipe: Recipe, options: BuildOptions): Promise<Built> {
  const { layers, maxError, maxBytes, signal } = options;
  const [[form]] = recipe.steps as [Recipe['steps'][number]];
  if (layers.length === 0) throw new RangeError('the model has no weights that can be quantised');
  if (!layers.some((layer) => permits(layer, form))) {
    throw new RangeError('no layer can have this form');
  }
  const compared = options.samples.slice(0, COMPARED);
  const wanted = await withOpen(options.evaluator, options.base, (open) =>
    answersOf(open, compared),
  );
  const errorOf = async (model: Model): Promise<number> =>
    withOpen(options.evaluator, model, async (open) =>
      differenceOf(await answersOf(open, compared), wanted),
    ).then(({ error }) => error);

  const make = makerOf(recipe, options);
  let steps = stepsOf(recipe, layers, options.sensitivity);
  let limit = maxError;
  let built: (Omit<Built, 'errors'> & { readonly error: number }) | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    signal?.throwIfAborted();
    const within = planWithin(steps, { error: limit });
    // The first one is built in any case, so that its error can be shown.
    const isKept = built !== undefined || has(within, form);
    const plan = isKept ? within : planWithin(steps, { error: Infinity });
    if (built !== undefined && (isSame(plan, built.plan) || !has(plan, form))) break;
    const { model, ranges } = await make(plan);
    const error = await errorOf(model);
    if (built === undefined || error < built.error) built = { plan, model, error };
    if (attempt === 0 && ranges !== undefined) {
      const own = await sensitivityOf(options.base, layers, { ...options, ranges });
      steps = stepsOf(recipe, layers, own);
    }
    if (error <= maxError) break;
    const share = Math.max(LOOSEST_STEP, Math.min(TIGHTER, TIGHTER * (maxError / error)));
    limit = Math.min(limit, predicted(steps, plan)) * share;
  }
  const withErrors = ({ plan, model }: Omit<Built, 'errors'>): Built => ({
    plan,
    model,
    errors: errorsOf(steps, plan),
  });
  const first = built!;
  if (maxBytes === undefined) return withErrors(first);
  const size = writeModel(first.model).byteLength;
  const ownBytes = planned(steps, first.plan);
  const plan = planWithin(steps, { error: limit, bytes: maxBytes - (size - ownBytes) });
  if (size > maxBytes || isSame(plan, first.plan) || !has(plan, form)) return withErrors(first);
  const { model } = await make(plan);
  const isBetter = writeModel(model).byteLength <= maxBytes && (await errorOf(model)) < first.error;
  return withErrors(isBetter ? { plan, model } : first);
}

type Made = { readonly model: Model; readonly ranges?: ReadonlyMap<string, Range> };

function makerOf(recipe: Recipe, options: BuildOptions): (plan: Plan) => Promise<Made> {
  const { base, calibration, evaluator, weightBits, signal } = options;
  if (recipe.calibrated !== true) {
    const bits = recipe.steps[0]![0] === 'dynamic' ? weightBits : 8;
    return async (plan) => ({ model: quantise(base, plan, { weightBits: bits }) });
  }
  if (calibration === undefined) throw new RangeError('the ranges of its activations need rows');
  return (plan) =>
    staticVariant(base, plan, { samples: calibration, evaluator, weightBits, signal });
}

function predicted(steps: ReadonlyMap<string, readonly Step[]>, plan: Plan): number {
  return Math.sqrt(sumOf(steps, plan, 'cost'));
}

function planned(steps: ReadonlyMap<string, readonly Step[]>, plan: Plan): number {
  return sumOf(steps, plan, 'bytes');
}

function sumOf(
  steps: ReadonlyMap<string, readonly Step[]>,
  plan: Plan,
  of: 'bytes' | 'cost',
): number {
  return [...steps].reduce(
    (sum, [name, all]) => sum + (all.find(({ form }) => form === plan.get(name))?.[of] ?? 0),
    0,
  );
}

function errorsOf(
  steps: ReadonlyMap<string, readonly Step[]>,
  plan: Plan,
): ReadonlyMap<string, number> {
  return new Map(
    [...steps].map(([name, all]) => {
      const { cost = 0 } = all.find(({ form }) => form === plan.get(name)) ?? {};
      return [name, Math.sqrt(cost)] as const;
    }),
  );
}

const isSame = (a: Plan, b: Plan): boolean => [...a].every(([name, form]) => b.get(name) === form);
/** Whether the plan is still what its recipe promises: a layer in its form, or any layer in 4 bits. */
const has = (plan: Plan, form: Form): boolean =>
  [...plan.values()].some((each) => each === form || (bitsOf(form) === 4 && bitsOf(each) === 4));
