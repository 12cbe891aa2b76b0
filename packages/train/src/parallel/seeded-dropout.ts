/** Gives every Dropout a seed, so that ranks drop different elements, and the same ones on repeat. */
import { GraphBuilder, withGraph, type Model } from '@skein/onnx';

export function seededDropout(model: Model, seed: number): Model {
  const { node } = model.graph!;
  if (!node.some(({ opType }) => opType === 'Dropout')) return model;
  const builder = new GraphBuilder('dropout');
  node.forEach((each, position) => {
    if (each.opType !== 'Dropout') {
      builder.graph().node.push(each);
      return;
    }
    const { input, output, name } = each;
    const own = (Math.imul(seed ^ position, 0x9e3779b1) >>> 1) + 1;
    builder.node('Dropout', input, { seed: own }, { outputs: output, name });
  });
  return withGraph(model, { node: builder.graph().node });
}
