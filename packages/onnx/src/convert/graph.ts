/** Writes a booster as an ONNX graph: its sums, its link function, and labels where it has classes. */
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';
import type { Booster, Linear } from './booster.ts';
import { forestNode, ML_OPSET } from './forest-node.ts';

/** The input of each graph: one row of numbers per prediction, NaN where a value is missing. */
export const INPUT = 'x';

export function graphOf(booster: Booster): Model {
  const graph = new GraphBuilder('converted');
  boosterNodes(graph, graph.input(INPUT, 'float32', ['batch', booster.features]), booster);
  const { source, objective, featureNames } = booster;
  const metadata = {
    source,
    objective,
    ...(featureNames.length === 0 ? {} : { features: JSON.stringify(featureNames) }),
  };
  return modelWith(graph, metadata);
}

export function modelWith(graph: GraphBuilder, metadata: Readonly<Record<string, string>>): Model {
  const model = graph.model({ domains: { 'ai.onnx.ml': ML_OPSET } });
  model.metadataProps = Object.entries(metadata).map(([key, value]) => ({
    $typeName: 'onnx.StringStringEntryProto',
    key,
    value,
  }));
  return model;
}

/** Writes the sums of a booster, its link function and its outputs. @param input [batch, features] of 32-bit numbers. */
export function boosterNodes(graph: GraphBuilder, input: string, booster: Booster): void {
  const { sum } = booster;
  const sums =
    sum.kind === 'forest'
      ? forestNode(graph, input, sum, booster)
      : linearNodes(graph, input, sum, booster);
  writeOutputs(graph, linkNodes(graph, sums, booster), booster);
}

const constant = (graph: GraphBuilder, name: string, ...numbers: number[]): string =>
  graph.initializer(name, tensor('float32', [numbers.length], Float32Array.from(numbers)));

function linearNodes(
  graph: GraphBuilder,
  input: string,
  { weights }: Linear,
  { features, outputs, base }: Booster,
): string {
  const [isMissing] = graph.node('IsNaN', [input]);
  const [filled] = graph.node('Where', [isMissing, constant(graph, 'zero', 0), input]);
  const matrix = tensor('float32', [features, outputs], Float32Array.from(weights));
  const [product] = graph.node('MatMul', [filled, graph.initializer('weights', matrix)]);
  const [sums] = graph.node('Add', [product, constant(graph, 'base', ...base)]);
  return sums;
}

/** @returns the name of the predictions, [batch, outputs]. */
function linkNodes(graph: GraphBuilder, sums: string, { link }: Booster): string {
  switch (link) {
    case 'identity':
      return sums;
    case 'exp':
      return graph.node('Exp', [sums])[0];
    case 'softplus':
      return graph.node('Softplus', [sums])[0];
    case 'softmax':
      return graph.node('Softmax', [sums], { axis: 1 })[0];
    case 'signed-square': {
      const [size] = graph.node('Abs', [sums]);
      return graph.node('Mul', [sums, size])[0];
    }
    default: {
      const { slope } = link;
      const scaled =
        slope === 1 ? sums : graph.node('Mul', [sums, constant(graph, 'slope', slope)])[0];
      return graph.node('Sigmoid', [scaled])[0];
    }
  }
}

function writeOutputs(graph: GraphBuilder, predictions: string, booster: Booster): void {
  const { form, outputs } = booster;
  const named = (operator: string, inputs: string[], name: string, attributes = {}): void => {
    graph.node(operator, inputs, attributes, { outputs: [name] });
  };
  const label = (condition: string, isList: boolean): void => {
    const whole = { to: 7 };
    if (isList) named('Cast', [condition], 'label', whole);
    else {
      const axes = graph.initializer('axes', tensor('int64', [1], BigInt64Array.of(1n)));
      named('Squeeze', [graph.node('Cast', [condition], whole)[0], axes], 'label');
    }
    graph.output('label', 'int64', isList ? ['batch', outputs] : ['batch']);
  };
  const above = (bound: number): string =>
    graph.node('Greater', [predictions, constant(graph, 'bound', bound)])[0];
  switch (form) {
    case 'prediction':
    case 'score':
      named('Identity', [predictions], form);
      graph.output(form, 'float32', ['batch', outputs]);
      return;
    case 'step':
      label(above(0), outputs > 1);
      return;
    case 'binary': {
      label(above(0.5), false);
      const [other] = graph.node('Sub', [constant(graph, 'one', 1), predictions]);
      named('Concat', [other, predictions], 'probabilities', { axis: 1 });
      graph.output('probabilities', 'float32', ['batch', 2]);
      return;
    }
    case 'labels':
      label(above(0.5), true);
      named('Identity', [predictions], 'probabilities');
      graph.output('probabilities', 'float32', ['batch', outputs]);
      return;
    case 'classes':
      named('ArgMax', [predictions], 'label', { axis: 1, keepdims: 0 });
      graph.output('label', 'int64', ['batch']);
      named('Identity', [predictions], 'probabilities');
      graph.output('probabilities', 'float32', ['batch', outputs]);
  }
}
