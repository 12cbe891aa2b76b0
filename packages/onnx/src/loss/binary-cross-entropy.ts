/**
 * Binary cross-entropy of a logit x and a target z in [0, 1]: (1 − z)·x + a·ln(1 + e⁻ˣ) with
 * a = 1 + (p − 1)·z for a weight p of the positives; its slope is a·σ(x) − p·z. The logarithm is
 * taken as max(−x, 0) + ln(1 + e^−|x|), which does not overflow.
 */
import type { LossContext, Terms } from './terms.ts';

export function binaryCrossEntropy(
  { writer, prediction: x, target: z }: LossContext,
  positiveWeight: number,
): Terms {
  const one = writer.scalar(1, x);
  const small = writer.emit('Exp', [writer.emit('Neg', [writer.emit('Abs', [x])])]);
  const logarithm = writer.emit('Add', [
    writer.emit('Relu', [writer.emit('Neg', [x])]),
    writer.emit('Log', [writer.emit('Add', [one, small])]),
  ]);
  const negative = writer.emit('Mul', [writer.emit('Sub', [one, z]), x]);
  const probability = writer.emit('Sigmoid', [x]);
  if (positiveWeight === 1) {
    return {
      terms: writer.emit('Add', [negative, logarithm]),
      slopes: writer.emit('Sub', [probability, z]),
    };
  }
  const extra = writer.emit('Mul', [z, writer.scalar(positiveWeight - 1, x)]);
  const a = writer.emit('Add', [extra, one]);
  return {
    terms: writer.emit('Add', [negative, writer.emit('Mul', [a, logarithm])]),
    slopes: writer.emit('Sub', [
      writer.emit('Mul', [a, probability]),
      writer.emit('Mul', [z, writer.scalar(positiveWeight, x)]),
    ]),
  };
}
