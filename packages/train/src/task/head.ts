/** The end of a network that was built here: turns its raw output into readable values. */
import { GraphBuilder, signatureOf, tensor, withGraph, type Model } from '@skein/onnx';
import { modelError } from '../train-error.ts';
import type { Blueprint, LabelScale } from './blueprint.ts';
import type { TaskKind } from './task.ts';

/**
 * Adds `probabilities` [batch, classes], `probability` [batch, 1] or `prediction` [batch, numbers]
 * as the only output. The network's own output remains a value of the graph, from which the loss is
 * computed.
 */
export function withHead(
  network: Model,
  { task, classes }: Pick<Blueprint, 'task' | 'classes'>,
  scale: LabelScale,
): { readonly model: Model; readonly blueprint: Blueprint } {
  const { outputs } = signatureOf(network);
  const [output] = outputs;
  if (output === undefined || outputs.length > 1) {
    throw modelError(`A network must have one output, but has ${outputs.length}.`);
  }
  const graph = new GraphBuilder('head');
  const result = emitHead(graph, task, output.name, scale);
  graph.output(result, output.type, output.shape);
  const head = graph.graph();
  const model = withGraph(network, {
    node: [...network.graph!.node, ...head.node],
    output: head.output,
  });
  const scaled = task === 'regression' ? { scale } : {};
  return { model, blueprint: { task, classes, prediction: output.name, ...scaled } };
}

function emitHead(
  graph: GraphBuilder,
  task: TaskKind,
  value: string,
  { mean, deviation }: LabelScale,
): string {
  const named = (output: string) => ({ outputs: [output], name: `head/${output}` });
  if (task === 'classification') {
    return graph.node('Softmax', [value], { axis: -1 }, named('probabilities'))[0];
  }
  if (task === 'binary') return graph.node('Sigmoid', [value], {}, named('probability'))[0];
  // Constant nodes, because initialisers would be trained.
  const constant = (name: string, number: number) => {
    const stored = { value: tensor('float32', [1], Float32Array.of(number)) };
    return graph.node('Constant', [], stored, named(`head/${name}`))[0];
  };
  const [scaled] = graph.node(
    'Mul',
    [value, constant('deviation', deviation)],
    {},
    named('head/scaled'),
  );
  return graph.node('Add', [scaled, constant('mean', mean)], {}, named('prediction'))[0];
}
