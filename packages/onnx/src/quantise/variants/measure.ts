/**
 * Builds every variant of a model and measures it: size, error against the float model, decisions,
 * and time on each runtime. A variant that cannot be built, or that a runtime refuses, is listed with
 * the reason.
 */
import { writeModel, type Model } from '../../model/model.ts';
import type { TensorMap } from '../../tensor/tensor.ts';
import { withOpen, type Evaluator } from '../evaluator.ts';
import { joinBias } from '../join-bias.ts';
import { layersOf, type Layer } from '../layers.ts';
import { liftConstants } from '../../passes/lift-constants.ts';
import { specialise } from '../../passes/specialise.ts';
import { OnnxError } from '../../onnx-error.ts';
import type { Plan } from '../plan.ts';
import { saturates } from '../saturation.ts';
import { accuracyOf, answersOf, differenceOf, type Answers } from './compare.ts';
import { buildVariant } from './build.ts';
import { RECIPES } from './recipes.ts';
import { sensitivityOf, type Sensitivity } from './sensitivity.ts';
import { timePair, type Timing } from './time.ts';

/** Samples with the labels of their rows, as numbers of classes. */
export interface Labelled {
  readonly samples: readonly TensorMap[];
  readonly labels?: readonly number[] | undefined;
}

export interface MeasureOptions {
  readonly evaluators: Readonly<Record<string, Evaluator>>;
  /** The evaluator that decides: its errors are reported. */
  readonly target: string;
  /** Names of the variants to build; default: all. */
  readonly recipes?: RegExp | undefined;
  /** Rows for the ranges of activations; absent: variants that need them are not built. */
  readonly calibration?: readonly TensorMap[] | undefined;
  /** Rows that calibration did not see. */
  readonly held: Labelled;
  /** The set that an accuracy gate reads; default: the held-out rows. */
  readonly golden?: Labelled | undefined;
  /** Largest error of a variant: sensitive layers get more exact forms. */
  readonly maxError: number;
  /** Largest file: layers get more exact forms as long as it fits. */
  readonly maxBytes?: number | undefined;
  /** One run that is timed. */
  readonly timed: TensorMap;
  /** Time of the measurement of one variant on one runtime, in milliseconds. */
  readonly timingMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

export interface Quality {
  readonly error: number;
  readonly changed?: number | undefined;
  readonly accuracy?: number | undefined;
}

export interface VariantReport {
  readonly name: string;
  readonly summary: string;
  /** Absent where it could not be built; `reason` states why. */
  readonly built?: {
    readonly model: Model;
    readonly plan: Plan;
    /** Error that each layer causes in its form, estimated, by its name. */
    readonly errors: ReadonlyMap<string, number>;
    readonly bytes: number;
    readonly quality: Quality;
    /** Points that the golden set falls by: of accuracy with labels, else of changed decisions. */
    readonly drop?: number | undefined;
    /** By runtime; absent where it does not run there. */
    readonly timings: Readonly<Record<string, Timing>>;
  };
  readonly reason?: string | undefined;
  /** Why a runtime does not run it. */
  readonly notRun: Readonly<Record<string, string>>;
}

export interface Report {
  readonly float: {
    readonly bytes: number;
    readonly accuracy?: number | undefined;
    /** Milliseconds of a run, by runtime. */
    readonly ms: Readonly<Record<string, number>>;
  };
  readonly variants: readonly VariantReport[];
  readonly layers: readonly Layer[];
  readonly sensitivity: Sensitivity;
  readonly weightBits: 7 | 8;
  /** Why the model was taken as it is, not rewritten for a device first. */
  readonly asGiven?: string | undefined;
}

/** @throws every error of the float model's own runs on the target. */
export async function measureVariants(model: Model, options: MeasureOptions): Promise<Report> {
  const { evaluators, target, held, golden = held, signal, onProgress } = options;
  const { base, asGiven } = prepared(model);
  const layers = layersOf(base);
  const evaluator = evaluators[target]!;
  const weightBits = await bitsFor(Object.values(evaluators));
  onProgress?.('Running the float model');
  const [wanted, goldenWanted] = await withOpen(evaluator, model, async (open) => {
    const first = await answersOf(open, held.samples);
    return [first, golden === held ? first : await answersOf(open, golden.samples)] as const;
  });
  const { calibration, maxError, maxBytes } = options;
  const samples = calibration ?? held.samples;
  onProgress?.('Measuring the sensitivity of layers');
  const sensitivity = await sensitivityOf(base, layers, { samples, evaluator, weightBits, signal });
  const building = {
    base,
    layers,
    sensitivity,
    samples,
    calibration,
    evaluator,
    weightBits,
    maxError,
    maxBytes,
    signal,
  };
  const floatMs: Record<string, number[]> = {};
  const variants: VariantReport[] = [];
  for (const recipe of RECIPES.filter(({ name }) => options.recipes?.test(name) ?? true)) {
    signal?.throwIfAborted();
    onProgress?.(`Building ${recipe.name}`);
    const { name, summary } = recipe;
    const notRun: Record<string, string> = {};
    try {
      const { plan, model: made, errors } = await buildVariant(recipe, building);
      onProgress?.(`Comparing ${recipe.name}`);
      const [found, goldenFound] = await withOpen(evaluator, made, async (open) => {
        const first = await answersOf(open, held.samples);
        return [first, golden === held ? first : await answersOf(open, golden.samples)] as const;
      });
      const quality = qualityOf(found, wanted, held.labels);
      const timings: Record<string, Timing> = {};
      for (const [runtime, each] of Object.entries(evaluators)) {
        onProgress?.(`Timing ${recipe.name} on ${runtime}`);
        try {
          const timing = await timePair(each, model, made, options.timed, options.timingMs);
          timings[runtime] = timing;
          (floatMs[runtime] ??= []).push(timing.floatMs);
        } catch (error) {
          notRun[runtime] = reasonOf(error);
        }
      }
      const bytes = writeModel(made).byteLength;
      const drop = dropOf(goldenFound, goldenWanted, golden.labels);
      variants.push({
        name,
        summary,
        built: { model: made, plan, errors, bytes, quality, drop, timings },
        notRun,
      });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      variants.push({ name, summary, reason: reasonOf(error), notRun });
    }
  }
  return {
    float: {
      bytes: writeModel(model).byteLength,
      ...(held.labels === undefined || wanted.decisions === undefined
        ? {}
        : { accuracy: accuracyOf(wanted.decisions, held.labels) }),
      ms: Object.fromEntries(
        Object.entries(floatMs).map(([runtime, all]) => [runtime, middle(all)]),
      ),
    },
    variants,
    layers,
    sensitivity,
    weightBits,
    asGiven,
  };
}

/** The model in the operators of a device, where that is possible. */
function prepared(model: Model): { readonly base: Model; readonly asGiven?: string } {
  try {
    return { base: joinBias(specialise(model)) };
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    return { base: joinBias(liftConstants(model)), asGiven: error.message };
  }
}

async function bitsFor(evaluators: readonly Evaluator[]): Promise<7 | 8> {
  for (const each of evaluators) {
    // A runtime that refuses the trial runs no static variant either.
    if (await saturates(each).catch(() => false)) return 7;
  }
  return 8;
}

function qualityOf(
  found: Answers,
  wanted: Answers,
  labels: readonly number[] | undefined,
): Quality {
  const difference = differenceOf(found, wanted);
  if (labels === undefined || found.decisions === undefined) return difference;
  return { ...difference, accuracy: accuracyOf(found.decisions, labels) };
}

function dropOf(
  found: Answers,
  wanted: Answers,
  labels: readonly number[] | undefined,
): number | undefined {
  if (wanted.decisions === undefined || found.decisions === undefined) return undefined;
  if (labels === undefined) return 100 * (differenceOf(found, wanted).changed ?? 0);
  return 100 * (accuracyOf(wanted.decisions, labels) - accuracyOf(found.decisions, labels));
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
}
