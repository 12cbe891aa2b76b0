/**
 * Reads the text of a picture with two bundles, in a page or in Node: one finds the lines, the other reads each one.
 * The steps between come from examples/ocr. Text that is upside down or on its side is not turned here.
 */
import type { TensorMap } from '@skein/onnx';
import type { Edge, EdgeAnswer, EdgeInferOptions } from '@skein/edge/page';
import { pyramidFor } from '../ocr/crop.ts';
import { detectedQuads, detectionInput } from '../ocr/detect.ts';
import { orderedLines, type Line } from '../ocr/order.ts';
import type { Raster, Resize } from '../ocr/raster.ts';
import { recognise } from '../ocr/recognise.ts';

/** Names of the bundles, and of the deployments on a node that has examples/ocr. */
export const MODELS = ['ocr-detect', 'ocr-recognise'] as const;
export type ModelName = (typeof MODELS)[number];

export interface Reader {
  readonly edges: Readonly<Record<ModelName, Edge>>;
  readonly dictionary: readonly string[];
  readonly resize: Resize;
}

/** Where the calls of one model were answered, and why; calls that agree in both are one row. */
export interface Answered extends Pick<EdgeAnswer, 'where' | 'why' | 'version' | 'runsOn'> {
  readonly model: ModelName;
  readonly calls: number;
  /** Sum over the calls. */
  readonly tookMs: number;
}

export interface TextOfPicture {
  readonly lines: readonly Line[];
  readonly answers: readonly Answered[];
  readonly tookMs: number;
}

/** @throws SkeinError EDGE_NOT_ANSWERED where a bundle is not installed and the node may not be asked. */
export async function readText(
  raster: Raster,
  { edges, dictionary, resize }: Reader,
  options: EdgeInferOptions,
): Promise<TextOfPicture> {
  const from = performance.now();
  const answers: Answered[] = [];
  const ask = async (model: ModelName, inputs: TensorMap): Promise<TensorMap> => {
    const { outputs, where, why, version, runsOn, tookMs } = await edges[model].infer(
      inputs,
      options,
    );
    note(answers, { model, where, why, version, runsOn, tookMs, calls: 1 });
    return outputs;
  };
  const input = await detectionInput(raster, resize);
  const quads = detectedQuads(await ask('ocr-detect', input), raster);
  const pyramid = await pyramidFor(raster, quads, resize);
  const readings = await recognise(pyramid, quads, dictionary, (x) => ask('ocr-recognise', x));
  return { lines: orderedLines(quads, readings), answers, tookMs: performance.now() - from };
}

function note(answers: Answered[], answer: Answered): void {
  const same = (each: Answered): boolean =>
    (['model', 'where', 'why', 'version'] as const).every((key) => each[key] === answer[key]);
  const at = answers.findIndex(same);
  if (at < 0) answers.push(answer);
  else {
    const { calls, tookMs } = answers[at]!;
    answers[at] = { ...answer, calls: calls + 1, tookMs: tookMs + answer.tookMs };
  }
}
