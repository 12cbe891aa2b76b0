/** Turns trained tensors into models: one to serve, and one to evaluate during training. */
import { GraphBuilder, withGraph, type Model } from '@skein/onnx';
import type { Kept } from '../optimisers/updates.ts';
import type { Tensors } from '../run/backend.ts';

/** The model with its initialisers replaced by tensors of the same names; their bytes are copied. */
export function withTrained(model: Model, tensors: Tensors): Model {
  return withGraph(model, {
    initializer: model.graph!.initializer.map((each) => {
      const trained = tensors.get(each.name);
      if (trained === undefined) return each;
      const builder = new GraphBuilder('trained');
      builder.initializer(each.name, { ...trained, bytes: trained.bytes.slice() });
      return builder.graph().initializer[0]!;
    }),
  });
}

/** The model with parameters as inputs, so that one open graph evaluates any values of them. */
export function withParametersAsInputs(model: Model, parameters: readonly Kept[]): Model {
  const graph = model.graph!;
  const names = new Set(parameters.map(({ name }) => name));
  const border = new GraphBuilder('parameters');
  for (const { name, type, shape } of parameters) border.input(name, type, shape);
  return withGraph(model, {
    initializer: graph.initializer.filter(({ name }) => !names.has(name)),
    input: [...graph.input.filter(({ name }) => !names.has(name)), ...border.graph().input],
  });
}
