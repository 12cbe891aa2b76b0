/**
 * Normalisations of single samples: Y = scale · x̂ + bias, where x̂ is X normalised over some axes.
 * The gradient through x̂ is the same for all, `moments.ts`; BatchNormalization has a file of its own.
 */
import type { GradientNode, GradientRule } from '../../gradient/rule.ts';
import { sameAsInput, type InferenceNode, type InferenceRule } from '../../infer/rule.ts';
import { inferred, type Operators } from '../operator.ts';
import { moments, normalisedGradient, perChannel, spatialAxes } from './moments.ts';

const EPSILON = 1e-5;

/** The gradients of X, scale and bias; one that is not wanted is not computed. */
function wanted(node: GradientNode, ...gradients: readonly (() => string)[]) {
  return gradients.map((gradient, i) => (node.wants(i) ? gradient() : undefined));
}

/** Over the spatial axes; scale and bias per channel (Ulyanov, Vedaldi and Lempitsky, 2016). */
const instanceNormalization: GradientRule = (node, graph) => {
  const [x, scale] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const over = moments(graph, x, spatialAxes(rank), node.attributeFloat('epsilon', EPSILON));
  const normalised = graph.emit('Mul', [over.centred, over.inverse]);
  const scaled = () => graph.emit('Mul', [dy, perChannel(graph, scale, rank)]);
  const axes = [0, ...spatialAxes(rank)];
  return wanted(
    node,
    () => normalisedGradient(graph, scaled(), normalised, over),
    () => graph.reduceSum(graph.emit('Mul', [dy, normalised]), axes, false),
    () => graph.reduceSum(dy, axes, false),
  );
};

function firstAxis(node: InferenceNode, rank: number): number {
  const axis = node.attributeInt('axis', -1);
  return axis < 0 ? axis + rank : axis;
}

/** Mean and deviation are outputs too, with the normalised axes at size 1. */
const inferLayerNormalization: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const first = firstAxis(node, shape?.length ?? 0);
  const kept = shape?.map((size, i) => (i < first ? size : 1));
  const statistics = { type: 'float32', shape: kept } as const;
  return [{ type, shape }, statistics, statistics];
};

/**
 * Over the axes from `axis` on (Ba, Kiros and Hinton, 2016).
 *
 * The node itself gives mean and 1 / √(variance + ε), so that they are not computed again; always as
 * float32, so that wider inputs compute their own.
 */
const layerNormalization: GradientRule = (node, graph) => {
  const [x, scale, bias] = node.inputs as [string, string, string | undefined];
  const dy = node.outputGradients[0];
  if (dy === undefined || node.outputGradients.some((each, i) => i > 0 && each !== undefined)) {
    return graph.fail('the loss depends on its mean or deviation');
  }
  const rank = graph.rankOf(x);
  const start = firstAxis(node, rank);
  const axes = Array.from({ length: rank - start }, (_, i) => start + i);
  const over =
    graph.typeOf(x) === 'float32'
      ? { centred: graph.emit('Sub', [x, node.demand(1)]), inverse: node.demand(2), axes }
      : moments(graph, x, axes, node.attributeFloat('epsilon', EPSILON));
  const normalised = graph.emit('Mul', [over.centred, over.inverse]);
  return wanted(
    node,
    () => normalisedGradient(graph, graph.emit('Mul', [dy, scale]), normalised, over),
    () => graph.unbroadcast(graph.emit('Mul', [dy, normalised]), scale),
    () => graph.unbroadcast(dy, bias!),
  );
};

/**
 * Over groups of channels and the spatial axes (Wu and He, 2018); scale and bias per channel, or per
 * group before opset 21.
 */
const groupNormalization: GradientRule = (node, graph) => {
  const [x, scale] = node.inputs as [string, string];
  const groups = graph.ints([0, node.attributeInt('num_groups'), -1]);
  const grouped = (value: string) => graph.emit('Reshape', [value, groups]); // [batch, groups, cells]
  const over = moments(graph, grouped(x), [2], node.attributeFloat('epsilon', EPSILON));
  const normalised = graph.emit('Mul', [over.centred, over.inverse]);
  // Scale and bias are applied to the groups, or to x in its own shape.
  const perGroup = graph.opset < 21;
  const dy = perGroup ? grouped(node.outputGradients[0]!) : node.outputGradients[0]!;
  const rank = perGroup ? 3 : graph.rankOf(x);
  const axes = [0, ...spatialAxes(rank)];
  return wanted(
    node,
    () => {
      const scaled = graph.emit('Mul', [dy, perChannel(graph, scale, rank)]);
      const gradient = perGroup ? scaled : grouped(scaled);
      return graph.reshapeLike(normalisedGradient(graph, gradient, normalised, over), x);
    },
    () => {
      const factor = perGroup ? normalised : graph.reshapeLike(normalised, x);
      return graph.reduceSum(graph.emit('Mul', [dy, factor]), axes, false);
    },
    () => graph.reduceSum(dy, axes, false),
  );
};

export const normalisation: Operators = {
  GroupNormalization: { infer: sameAsInput, gradient: groupNormalization },
  InstanceNormalization: { infer: sameAsInput, gradient: instanceNormalization },
  LayerNormalization: { infer: inferLayerNormalization, gradient: layerNormalization },
  ...inferred('RMSNormalization', sameAsInput),
};
