/** Freezing: which weights are trained, by the pattern of their names. */
import { inferenceOf } from '../infer/inference.ts';
import type { Model } from '../model.ts';
import { OnnxError } from '../onnx-error.ts';

/**
 * Names of the initialisers that can be trained, in the graph's order: floating-point numbers with
 * axes (scalars are taken for constants of a formula), without those whose name a pattern matches.
 *
 * @throws OnnxError `invalid` when a pattern matches none of them, which is more often a typing
 *   error than a wish, or when nothing is left to train.
 */
export function trainableParameters(
  model: Model,
  frozen: readonly RegExp[] = [],
): readonly string[] {
  const inference = inferenceOf(model);
  const candidates = model
    .graph!.initializer.map(({ name }) => name)
    .filter((name) => {
      const known = inference.of(name);
      return known !== undefined && /^b?float/.test(known.type) && known.shape?.length !== 0;
    });
  // A pattern with the flag g would remember where it stopped.
  const patterns = frozen.map(
    ({ source, flags }) => new RegExp(source, flags.replaceAll(/[gy]/g, '')),
  );
  for (const pattern of patterns) {
    if (candidates.some((name) => pattern.test(name))) continue;
    throw new OnnxError(
      'invalid',
      `No parameter matches ${pattern}. There are: ${candidates.slice(0, 20).join(', ')}${candidates.length > 20 ? ', …' : ''}.`,
    );
  }
  const left = candidates.filter((name) => !patterns.some((pattern) => pattern.test(name)));
  if (left.length === 0) {
    throw new OnnxError('invalid', 'Every parameter is frozen, so that there is nothing to train.');
  }
  return left;
}
