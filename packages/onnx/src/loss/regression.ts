/** Losses of the difference d between a prediction and a number. */
import type { LossContext, Terms } from './terms.ts';

/** d², with the slope 2d. */
export function meanSquared({ writer, prediction, target }: LossContext): Terms {
  const d = writer.emit('Sub', [prediction, target]);
  return {
    terms: writer.emit('Mul', [d, d]),
    slopes: writer.emit('Mul', [d, writer.scalar(2, d)]),
  };
}

/** |d|, with the slope sign(d). */
export function meanAbsolute({ writer, prediction, target }: LossContext): Terms {
  const d = writer.emit('Sub', [prediction, target]);
  return { terms: writer.emit('Abs', [d]), slopes: writer.emit('Sign', [d]) };
}

/** d²/2 up to |d| = δ and δ·(|d| − δ/2) beyond, with the slope d held within ±δ (Huber, 1964). */
export function huber({ writer, prediction, target }: LossContext, delta: number): Terms {
  const d = writer.emit('Sub', [prediction, target]);
  const limit = writer.scalar(delta, d);
  const size = writer.emit('Abs', [d]);
  const held = writer.emit('Min', [size, limit]);
  const half = writer.emit('Mul', [held, writer.scalar(0.5, d)]);
  const slopes = writer.emit('Max', [writer.emit('Min', [d, limit]), writer.scalar(-delta, d)]);
  return { terms: writer.emit('Mul', [held, writer.emit('Sub', [size, half])]), slopes };
}
