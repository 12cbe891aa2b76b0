/** The loss ½ Σ a p², whose gradient is a·p: a test bed for optimisers that needs no gradient engine. */
import { elementCount, GraphBuilder, tensor, writeModel } from '@skein/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Clipping } from '../optimisers/clip.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { emitUpdates, LEARNING_RATE, nextOf, type FloatType } from '../optimisers/updates.ts';

export interface Quadratic {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: readonly number[];
  /** a, of the parameter's shape. */
  readonly curvature: readonly number[];
}

export interface Descent {
  readonly optimiser: Optimiser;
  readonly rates: readonly number[];
  readonly clip?: Clipping;
  /** Default float64. */
  readonly type?: FloatType;
}

/** Takes one step per learning rate, by running the graph; the parameters' values afterwards. */
export async function descend(
  parameters: readonly Quadratic[],
  { optimiser, rates, clip, type = 'float64' }: Descent,
): Promise<Record<string, number[]>> {
  const array = type === 'float64' ? Float64Array : Float32Array;
  const graph = new GraphBuilder('quadratic');
  const slopes = parameters.map(({ name, shape, curvature }) => {
    graph.input(name, type, shape);
    const a = graph.initializer(`${name}.a`, tensor(type, shape, new array(curvature)));
    const [gradient] = graph.node('Mul', [name, a]);
    return { parameter: { name, type, shape }, gradient };
  });
  const kept = emitUpdates(graph, slopes, optimiser, { clip });
  const session = await InferenceSession.create(writeModel(graph.model()), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const feeds: Record<string, Tensor> = {};
  for (const { name, shape, start } of parameters) {
    feeds[name] = new Tensor(type, new array(start), shape);
  }
  for (const { name, type, shape } of kept) {
    const zeros = new (type === 'float64' ? Float64Array : Float32Array)(elementCount(shape));
    feeds[name] = new Tensor(type, zeros, shape);
  }
  for (const rate of rates) {
    feeds[LEARNING_RATE] = new Tensor(type, new array([rate]), []);
    const results = await session.run(feeds);
    for (const name of Object.keys(feeds))
      feeds[name] = (results[nextOf(name)] as Tensor) ?? feeds[name]!;
  }
  await session.release();
  return Object.fromEntries(
    parameters.map(({ name }) => [name, Array.from(feeds[name]!.data as Float64Array)]),
  );
}
