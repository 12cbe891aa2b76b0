/** A classifier in the form in which skl2onnx writes a pipeline of scikit-learn with its defaults. */
import { create } from '@bufbuild/protobuf';
import { TypeProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import { floats, type Attribute } from '../model/attribute.ts';
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { elementTypeNumber } from '../tensor/element-type.ts';

export type ClassLabels = readonly string[] | readonly number[];
const ML = { domain: 'ai.onnx.ml' };

/**
 * `linear`: LinearClassifier → Normalizer → ZipMap, a logistic regression. `forest`: one
 * TreeEnsembleClassifier → ZipMap. Both read two features and score three classes.
 * @param zipped without it, the exporter's option `zipmap: False`.
 */
export function scikitClassifier(
  kind: 'linear' | 'forest',
  labels: ClassLabels,
  zipped = true,
): Model {
  const isText = typeof labels[0] === 'string';
  const ints = kind === 'linear' ? 'classlabels_ints' : 'classlabels_int64s';
  const key = isText ? 'classlabels_strings' : ints;
  const graph = new GraphBuilder('scikit');
  const x = graph.input('float_input', 'float32', [null, 2]);
  const scores = kind === 'linear' ? 'probability_tensor' : 'probabilities';
  const [operator, attributes] =
    kind === 'linear'
      ? (['LinearClassifier', LINEAR] as const)
      : (['TreeEnsembleClassifier', TREE] as const);
  graph.node(
    operator,
    [x],
    { ...attributes, [key]: labels },
    { ...ML, outputs: ['label', scores] },
  );
  if (kind === 'linear') {
    graph.node('Normalizer', [scores], { norm: 'L1' }, { ...ML, outputs: ['probabilities'] });
  }
  const [cast, to]: readonly [string, Readonly<Record<string, Attribute>>] = isText
    ? ['Identity', {}]
    : ['Cast', { to: elementTypeNumber('int64') }];
  graph.node(cast, ['label'], to, { outputs: ['output_label'] });
  graph.output('output_label', isText ? 'string' : 'int64', [null]);
  if (zipped) {
    const zip = { [isText ? 'classlabels_strings' : 'classlabels_int64s']: labels };
    graph.node('ZipMap', ['probabilities'], zip, {
      ...ML,
      name: 'ZipMap',
      outputs: ['output_probability'],
    });
  } else graph.output('probabilities', 'float32', [null, 3]);
  const model = graph.model({ opset: 17, domains: { 'ai.onnx.ml': kind === 'linear' ? 1 : 3 } });
  if (zipped) {
    const keyType = elementTypeNumber(isText ? 'string' : 'int64');
    const valueType = {
      value: { case: 'tensorType' as const, value: { elemType: elementTypeNumber('float32') } },
    };
    const elemType = create(TypeProtoSchema, {
      value: { case: 'mapType', value: { keyType, valueType } },
    });
    const type = { value: { case: 'sequenceType' as const, value: { elemType } } };
    model.graph!.output.push(create(ValueInfoProtoSchema, { name: 'output_probability', type }));
  }
  return model;
}

const LINEAR = {
  coefficients: floats([1, 0.5, -1, 0.25, 0, -2]),
  intercepts: floats([0.1, 0, -0.3]),
  multi_class: 1,
  post_transform: 'SOFTMAX',
};

/** x[0] ≤ 0 gives the first class, else x[1] ≤ 1 the second with 0.75. */
const TREE = {
  nodes_treeids: [0, 0, 0, 0, 0],
  nodes_nodeids: [0, 1, 2, 3, 4],
  nodes_featureids: [0, 0, 1, 0, 0],
  nodes_values: floats([0, 0, 1, 0, 0]),
  nodes_hitrates: floats([1, 1, 1, 1, 1]),
  nodes_modes: ['BRANCH_LEQ', 'LEAF', 'BRANCH_LEQ', 'LEAF', 'LEAF'],
  nodes_truenodeids: [1, 0, 3, 0, 0],
  nodes_falsenodeids: [2, 0, 4, 0, 0],
  nodes_missing_value_tracks_true: [0, 0, 0, 0, 0],
  class_treeids: [0, 0, 0, 0],
  class_nodeids: [1, 3, 3, 4],
  class_ids: [0, 1, 2, 2],
  class_weights: floats([1, 0.75, 0.25, 1]),
  post_transform: 'NONE',
};
