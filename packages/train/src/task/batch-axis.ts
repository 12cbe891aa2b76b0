/**
 * A model for batches of one size. Exporters leave the first axis open, or fix it to the size of
 * the example that they traced; a training step has one size, so that a session plans its memory
 * once.
 */
import { GraphBuilder, inferShapes, signatureOf, withGraph, type Model } from '@skein/onnx';
import { modelError } from '../train-error.ts';

/**
 * @throws TrainError `model` when the size is fixed in the graph, naming the node that shows it.
 * @throws OnnxError when shapes cannot fit together.
 */
export function withBatch(model: Model, size: number): Model {
  const { inputs, outputs } = signatureOf(model);
  const open = new GraphBuilder('batch');
  for (const { name, type, shape } of inputs) {
    if (shape.length === 0) throw modelError(`Input '${name}' has no axis of rows.`);
    open.input(name, type, [size, ...shape.slice(1)]);
  }
  const graph = model.graph!;
  const given = new Set(inputs.map(({ name }) => name));
  // Shapes of inner values in the file are for another size.
  const resized = withGraph(model, {
    input: [...open.graph().input, ...graph.input.filter(({ name }) => !given.has(name))],
    valueInfo: [],
    output: [],
  });
  const known = inferShapes(resized);
  for (const { name, type, shape } of outputs) {
    const found = known.get(name);
    const rows = found?.shape[0];
    if (typeof rows === 'number' && rows !== size && shape.length > 0) {
      const at = fixedNode(resized, known, rows);
      throw modelError(
        `The model is built for batches of ${rows}${at === undefined ? '' : `, as node ${at} shows`}. Export it with an open batch axis, or train with batches of ${rows}.`,
      );
    }
    open.output(name, found?.type ?? type, found?.shape ?? [size, ...shape.slice(1)]);
  }
  return withGraph(resized, { output: open.graph().output });
}

/** The first node whose output has the number of rows that the file fixes. */
function fixedNode(
  model: Model,
  known: ReturnType<typeof inferShapes>,
  rows: number,
): string | undefined {
  const weights = new Set(model.graph!.initializer.map(({ name }) => name));
  const found = model.graph!.node.find(
    ({ opType, output }) =>
      opType !== 'Constant' &&
      !weights.has(output[0]!) &&
      (known.get(output[0]!)?.shape.length ?? 0) > 1 &&
      known.get(output[0]!)?.shape[0] === rows,
  );
  return found === undefined ? undefined : `'${found.name || found.output[0]}' (${found.opType})`;
}
