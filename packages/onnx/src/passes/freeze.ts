/** Freezing: which weights are trained, by the pattern of their names. */
import { gradient, gradientName, type GradientOptions } from '../gradient/gradient.ts';
import type { Model } from '../model/model.ts';
import { invalidModel } from '../onnx-error.ts';

/**
 * Names of the initialisers that can be trained, in the graph's order, without those whose name a
 * pattern matches. These are the ones with a gradient of the loss: not the running statistics of a
 * BatchNormalization, the scales of a Resize, or scalars, which are treated as constants of a
 * formula.
 *
 * @param of the result of `withLoss`, or a model that computes its loss itself.
 * @throws OnnxError `invalid` when a pattern matches none of them, which is usually a typing error,
 *   or when no parameter is left to train; and every error of `gradient`.
 */
export function trainableParameters(
  of: { readonly model: Model } & Pick<GradientOptions, 'loss' | 'seeds'>,
  frozen: readonly RegExp[] = [],
): readonly string[] {
  const { model, ...options } = of;
  const outputs = new Set(gradient(model, options).graph!.output.map(({ name }) => name));
  const candidates = model
    .graph!.initializer.map(({ name }) => name)
    .filter((name) => outputs.has(gradientName(name)));
  // A pattern with the flag g would keep its position between tests.
  const patterns = frozen.map(
    ({ source, flags }) => new RegExp(source, flags.replaceAll(/[gy]/g, '')),
  );
  for (const pattern of patterns) {
    if (candidates.some((name) => pattern.test(name))) continue;
    throw invalidModel(
      `No parameter matches ${pattern}. There are: ${candidates.slice(0, 20).join(', ')}${candidates.length > 20 ? ', …' : ''}.`,
    );
  }
  const left = candidates.filter((name) => !patterns.some((pattern) => pattern.test(name)));
  if (left.length === 0) {
    throw invalidModel('Every parameter is frozen, so that there is nothing to train.');
  }
  return left;
}
