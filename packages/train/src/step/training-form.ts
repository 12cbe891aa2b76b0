/**
 * The training form of a model: BatchNormalization uses the statistics of the batch and updates
 * running ones, and Dropout drops. Exporters write the form for inference.
 *
 * A BatchNormalization whose scale is frozen keeps its inference form: its statistics belong to its
 * weights.
 */
import {
  GraphBuilder,
  inferShapes,
  opsetOf,
  tensorOf,
  withGraph,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { nextOf } from '../optimisers/updates.ts';
import { modelError } from '../train-error.ts';
import { addDropout, DROPOUT_KEYS, KEYS_OF_ONE } from './dropout.ts';
import { addNormalization } from './normalization.ts';
import { partWriter, titleOf, type Node } from './part-writer.ts';

export interface TrainingForm {
  readonly model: Model;
  /** Running statistics by name, with their values; the graph makes `next/…` of each. */
  readonly statistics: ReadonlyMap<string, NumericTensor>;
  /** Statistics that do not change, and are not parameters either. */
  readonly fixed: ReadonlySet<string>;
  /** Dropouts; where there are any, their keys are an input. */
  readonly dropouts: number;
}

/** Operator set since which BatchNormalization has a training form. */
const TRAINING_MODE = 14;

/** @throws TrainError `model` when a node has no training form, naming it. */
export function trainingForm(model: Model, frozen?: RegExp): TrainingForm {
  const builder = new GraphBuilder('training');
  const opset = opsetOf(model) ?? 1;
  const statistics = new Map<string, NumericTensor>();
  const fixed = new Set<string>();
  let shapes: ReturnType<typeof inferShapes> | undefined;
  const known = (name: string) => (shapes ??= inferShapes(model)).get(name);
  let dropouts = 0;
  for (const node of model.graph!.node) {
    if (node.opType === 'BatchNormalization' && frozen?.test(node.input[1]!) === true) {
      for (const name of node.input.slice(3, 5)) fixed.add(name);
      builder.graph().node.push(node);
    } else if (node.opType === 'BatchNormalization') {
      for (const [name, value] of statisticsOf(model, node, statistics))
        statistics.set(name, value);
      if (opset >= TRAINING_MODE) normalizeInTraining(builder, node);
      else addNormalization(partWriter(builder, node), node, known(node.input[0]!));
    } else if (node.opType === 'Dropout') {
      const data = known(node.input[0]!);
      const position = dropouts++;
      addDropout(partWriter(builder, node), node, { model, opset, position, data });
    } else {
      builder.graph().node.push(node);
    }
  }
  // Outputs, so that differentiation keeps them.
  for (const [name, { type, shape }] of statistics) builder.output(nextOf(name), type, shape);
  if (dropouts > 0) builder.input(DROPOUT_KEYS, 'uint32', [KEYS_OF_ONE * dropouts]);
  const { node, initializer, input, output } = builder.graph();
  const graph = model.graph!;
  return {
    model: withGraph(model, {
      node,
      initializer: [...graph.initializer, ...initializer],
      input: [...graph.input, ...input],
      output: [...graph.output, ...output],
    }),
    statistics,
    fixed,
    dropouts,
  };
}

function statisticsOf(
  model: Model,
  node: Node,
  others: ReadonlyMap<string, NumericTensor>,
): readonly (readonly [string, NumericTensor])[] {
  return node.input.slice(3, 5).map((name) => {
    const stored = model.graph!.initializer.find((each) => each.name === name);
    const value = stored && tensorOf(stored);
    if (value === undefined || value.type === 'string' || others.has(name)) {
      const copied = model.graph!.node.find(
        ({ opType, output }) => opType === 'Identity' && output[0] === name,
      )?.input[0];
      throw modelError(
        copied === undefined
          ? `${titleOf(node)} cannot be trained: '${name}' is not a statistic of its own.`
          : `${titleOf(node)} cannot be trained: the exporter has merged '${name}' with '${copied}', which had the same values; in PyTorch export with training=torch.onnx.TrainingMode.TRAINING and do_constant_folding=False.`,
      );
    }
    return [name, value] as const;
  });
}

function normalizeInTraining(builder: GraphBuilder, node: Node): void {
  const outputs = [node.output[0]!, ...node.input.slice(3, 5).map(nextOf)];
  const { opType, input, name } = node;
  builder.node(opType, input, { training_mode: 1 }, { outputs, name });
  const kept = node.attribute.filter((each) => each.name !== 'training_mode');
  builder
    .graph()
    .node.at(-1)!
    .attribute.push(...kept);
}
