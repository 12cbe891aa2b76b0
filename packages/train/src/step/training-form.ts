/**
 * A model as it is while it learns: BatchNormalization takes the statistics of the batch and keeps
 * running ones for later, Dropout drops. Exporters write the form for inference.
 *
 * A BatchNormalization whose scale is frozen stays as it is: its statistics belong to its weights.
 * The running variance is that of the population, as ONNX defines it.
 */
import {
  GraphBuilder,
  opsetOf,
  tensor,
  tensorOf,
  withGraph,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { nextOf } from '../optimisers/updates.ts';
import { TrainError } from '../train-error.ts';

export interface TrainingForm {
  readonly model: Model;
  /** Running statistics by name, with their values; the graph makes `next/…` of each. */
  readonly statistics: ReadonlyMap<string, NumericTensor>;
  /** Statistics that stay as they are, and are no parameters either. */
  readonly fixed: ReadonlySet<string>;
}

type Node = NonNullable<Model['graph']>['node'][number];

/** @throws TrainError `model` when the operator set is too old for a training form, naming the node. */
export function trainingForm(model: Model, frozen?: RegExp): TrainingForm {
  const builder = new GraphBuilder('training');
  const statistics = new Map<string, NumericTensor>();
  const fixed = new Set<string>();
  for (const node of model.graph!.node) {
    if (node.opType === 'BatchNormalization' && frozen?.test(node.input[1]!) === true) {
      for (const name of node.input.slice(3, 5)) fixed.add(name);
      builder.graph().node.push(node);
    } else if (node.opType === 'BatchNormalization') {
      requireOpset(model, node, 14);
      addNormalization(builder, node, model, statistics);
    } else if (node.opType === 'Dropout') {
      requireOpset(model, node, 12);
      addDropout(builder, node);
    } else {
      builder.graph().node.push(node);
    }
  }
  const { node, initializer } = builder.graph();
  const initializers = [...model.graph!.initializer, ...initializer];
  return { model: withGraph(model, { node, initializer: initializers }), statistics, fixed };
}

function addNormalization(
  builder: GraphBuilder,
  node: Node,
  model: Model,
  statistics: Map<string, NumericTensor>,
): void {
  const running = node.input.slice(3, 5);
  for (const name of running) {
    const stored = model.graph!.initializer.find((each) => each.name === name);
    const value = stored && tensorOf(stored);
    if (value === undefined || value.type === 'string' || statistics.has(name)) {
      throw new TrainError(
        'model',
        `${titleOf(node)} cannot be trained: '${name}' is not a statistic of its own.`,
      );
    }
    statistics.set(name, value);
  }
  copy(builder, node, node.input, [node.output[0]!, ...running.map(nextOf)], { training_mode: 1 });
}

function addDropout(builder: GraphBuilder, node: Node): void {
  const training = `training/${node.name || node.output[0]!}`;
  builder.initializer(training, tensor('bool', [], Uint8Array.of(1)));
  const inputs = [node.input[0]!, node.input[1] ?? '', training];
  copy(builder, node, inputs, node.output, {});
}

/** The node with other inputs, outputs and further attributes. */
function copy(
  builder: GraphBuilder,
  node: Node,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, number>>,
): void {
  builder.node(node.opType, inputs, attributes, { outputs, name: node.name });
  const kept = node.attribute.filter(({ name }) => !(name in attributes));
  builder
    .graph()
    .node.at(-1)!
    .attribute.push(...kept);
}

function requireOpset(model: Model, node: Node, least: number): void {
  const opset = opsetOf(model) ?? 1;
  if (opset >= least) return;
  throw new TrainError(
    'model',
    `${titleOf(node)} has no training form in opset ${opset}; export the model with opset ${least} or newer.`,
  );
}

function titleOf({ name, opType, output }: Node): string {
  return `Node '${name || output[0]}' (${opType})`;
}
