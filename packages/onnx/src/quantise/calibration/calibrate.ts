/**
 * Measures the values of a model on samples, batch after batch: memory is one batch of values and a
 * histogram for each, however many samples there are.
 */
import { inferShapes } from '../../infer/inference.ts';
import { withGraph, type Model } from '../../model/model.ts';
import { valueInfoProto } from '../../model/protos.ts';
import { invalidModel } from '../../onnx-error.ts';
import { values } from '../../tensor/tensor.ts';
import { withOpen, type Evaluator, type Samples } from '../evaluator.ts';
import type { Range } from '../grid.ts';
import { ChannelMeans } from './channel-means.ts';
import { Histogram } from './histogram.ts';
import { rangeOf, type Method } from './range.ts';

export interface Observed {
  readonly histogram: Histogram;
  /** Means by the index along an axis, for the values for which they were asked. */
  readonly means?: ChannelMeans;
}

export interface CalibrationOptions {
  /** Values whose means by channel are measured too: the axis of the channels, from the end if negative. */
  readonly channels?: ReadonlyMap<string, number>;
  readonly signal?: AbortSignal;
}

/**
 * @throws OnnxError `invalid` when there is no sample, or a value is never finite; every error of
 *   the evaluator.
 */
export async function observe(
  model: Model,
  names: readonly string[],
  samples: Samples,
  evaluator: Evaluator,
  { channels, signal }: CalibrationOptions = {},
): Promise<ReadonlyMap<string, Observed>> {
  const inputs = new Set(model.graph!.input.map(({ name }) => name));
  const observed = new Map(
    names.map((name): [string, Observed] => {
      const axis = channels?.get(name);
      const histogram = new Histogram();
      return [
        name,
        axis === undefined ? { histogram } : { histogram, means: new ChannelMeans(axis) },
      ];
    }),
  );
  let batches = 0;
  const inner = names.filter((name) => !inputs.has(name));
  await withOpen(evaluator, withOutputs(model, inner), async (open) => {
    for await (const feeds of samples) {
      signal?.throwIfAborted();
      batches += 1;
      const outputs = await open.run(feeds);
      for (const [name, { histogram, means }] of observed) {
        const value = outputs.get(name) ?? feeds.get(name);
        if (value?.type !== 'float32') {
          throw invalidModel(`'${name}' is not of float32, so that its range cannot be measured.`);
        }
        const numbers = values(value) as Float32Array;
        histogram.add(numbers);
        means?.add(numbers, value.shape);
      }
    }
  });
  if (batches === 0) throw invalidModel('There is no sample to calibrate with.');
  for (const [name, { histogram }] of observed) {
    if (histogram.strays === 0) continue;
    throw invalidModel(
      `'${name}' is NaN or infinite ${histogram.strays} times on the samples, so that it has no range.`,
    );
  }
  return observed;
}

/** The ranges of observed values. */
export function rangesOf(
  observed: ReadonlyMap<string, Observed>,
  method: Method,
): ReadonlyMap<string, Range> {
  return new Map([...observed].map(([name, { histogram }]) => [name, rangeOf(histogram, method)]));
}

/** The model with more of its values as outputs. */
export function withOutputs(model: Model, names: readonly string[]): Model {
  const graph = model.graph!;
  const specs = inferShapes(model);
  const present = new Set(graph.output.map(({ name }) => name));
  const more = names
    .filter((name) => !present.has(name))
    .map((name) => {
      const spec = specs.get(name);
      return valueInfoProto(name, spec?.type ?? 'float32', spec?.shape);
    });
  return withGraph(model, { output: [...graph.output, ...more] });
}
