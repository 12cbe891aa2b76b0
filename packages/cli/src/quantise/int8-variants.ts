/** The 8-bit variants of a model for a bundle: the best natively and the best in WebAssembly, as measured here. */
import { writeModel, type Model } from '@skein/onnx';
import { measureVariants } from '@skein/onnx/quantise';
import type { Context } from '../command-line/command.ts';
import { openEvaluators } from './evaluators.ts';
import { choiceAmong, refusalText, shownVariant } from './result.ts';
import type { Split } from './samples.ts';

/** Limits of `skein quantise` where none are given. */
const BUDGET = { maxError: 0.1, maxDrop: 1 };
const TIMING_MS = 500;

export interface Int8Variants {
  readonly variants: readonly { readonly name: string; readonly model: Uint8Array<ArrayBuffer> }[];
  /** Where no variant is kept: why each is refused. */
  readonly refused: readonly string[];
}

export async function int8Variants(
  { notes, signal }: Context,
  model: Model,
  split: Split,
): Promise<Int8Variants> {
  const { variants } = await measureVariants(model, {
    evaluators: await openEvaluators(),
    target: 'native',
    recipes: /^int8/,
    calibration: split.calibration,
    held: split.held,
    timed: split.timed,
    timingMs: TIMING_MS,
    maxError: BUDGET.maxError,
    signal,
    onProgress: (text) => notes.progress(text),
  });
  const choices = ['native', 'wasm'].map((target) => choiceAmong(variants, target, BUDGET));
  const chosen = new Set(choices.map((choice) => choice.chosen));
  const kept = variants.flatMap(({ name, built }) =>
    built !== undefined && chosen.has(name)
      ? [{ name, model: writeModel(built.model) as Uint8Array<ArrayBuffer> }]
      : [],
  );
  if (kept.length > 0) return { variants: kept, refused: [] };
  const refused = variants.map((each) =>
    refusalText(shownVariant(each, choices[0]!), 'native', BUDGET),
  );
  return { variants: [], refused };
}
