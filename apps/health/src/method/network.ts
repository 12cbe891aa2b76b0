/**
 * The network: encoded patient [batch, WIDTH] → logit of disease [batch, 1]. SiLU is smooth, so that a few
 * points of a path integrate its gradient; a ReLU needs a thousand and still misses by .007.
 */
import {
  dense,
  gradient,
  gradientName,
  GraphBuilder,
  sequential,
  signatureOf,
  withGraph,
  type Model,
} from '@skein/onnx';

const HIDDEN = 32;

/** @param batch rows of a step; absent: any number. */
export function network(inputs: number, seed: number, batch?: number): Model {
  return sequential({
    input: { shape: [inputs] },
    layers: [dense({ units: HIDDEN, activation: 'silu' }), dense({ units: 1 })],
    seed,
    ...(batch === undefined ? {} : { batch }),
  });
}

export const LOGIT = 'y';
export const SLOPE = gradientName('x');

/** The network with the slope of the logit by each encoded number, [batch, WIDTH], as a second output. */
export function withSlope(model: Model): Model {
  const builder = new GraphBuilder('slope');
  // Rows do not mix, so the gradient of the sum holds each row's own.
  builder.node('ReduceSum', [LOGIT], { keepdims: 0 }, { outputs: ['sum'], name: 'sum' });
  builder.output('sum', 'float32', []);
  const { node, output } = builder.graph();
  const graph = model.graph!;
  const summed = withGraph(model, {
    node: [...graph.node, ...node],
    output: [...graph.output, ...output],
  });
  return gradient(summed, { loss: 'sum', inputs: ['x'] });
}

/** Whether a model has the network's inputs and outputs. */
export function isNetwork(model: Model, inputs: number): boolean {
  const signature = signatureOf(model);
  const [input, ...others] = signature.inputs;
  return (
    input?.name === 'x' &&
    input.shape[1] === inputs &&
    others.length === 0 &&
    signature.outputs.some(({ name }) => name === LOGIT)
  );
}
