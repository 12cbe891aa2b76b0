/**
 * Reads the text of a picture: detect the lines, see which way up they are, read each one.
 *
 *   bytes → image → ocr-detect → boxes → ocr-orient → ocr-recognise (one call per line) → text
 *
 * The networks are deployments of their own, with their own replicas and queues. The steps between
 * them are the arithmetic of PaddleOCR's PP-OCRv4, in the other files of this folder.
 */
import { readFileSync } from 'node:fs';
import { SkeinError } from '@skein/api';
import { stringTensor, tensor, type Tensor, type TensorMap } from '@skein/onnx';
import { defineComposition } from '@skein/serving/composition';
import { pyramidFor } from './crop.ts';
import { parseDictionary } from './ctc.ts';
import { detectedQuads, detectionInput } from './detect.ts';
import { decode, resize } from './image.ts';
import { DICTIONARY } from './models.ts';
import { orient } from './orient.ts';
import { orderedLines, type Line } from './order.ts';
import type { Raster } from './raster.ts';
import { recognise } from './recognise.ts';

const dictionary = parseDictionary(readFileSync(DICTIONARY, 'utf8'));

export const composition = defineComposition({
  inputs: [
    /** One encoded file: PNG, JPEG or WebP. */
    { name: 'image', type: 'string', shape: [1] },
  ],
  outputs: [
    /** In reading order. */
    { name: 'text', type: 'string', shape: ['lines'] },
    /** Mean probability of the line's characters. */
    { name: 'confidence', type: 'float32', shape: ['lines'] },
    /** x and y of the corners in pixels of the upright picture, clockwise from the top left of the text. */
    { name: 'box', type: 'float32', shape: ['lines', 4, 2] },
  ],
  calls: ['ocr-detect', 'ocr-orient', 'ocr-recognise'],

  async run(inputs, context) {
    const raster = await decode(imageOf(inputs));
    const input = await detectionInput(raster, resize);
    const found = detectedQuads(await context.call('ocr-detect', input), raster);
    if (found.length === 0) return answer(raster, []);
    const pyramid = await pyramidFor(raster, found, resize);
    const quads = await orient(pyramid, found, (x) => context.call('ocr-orient', x));
    const readings = await recognise(pyramid, quads, dictionary, (x) =>
      context.call('ocr-recognise', x),
    );
    return answer(raster, orderedLines(quads, readings));
  },
});

function imageOf(inputs: TensorMap): Uint8Array {
  const image = inputs.get('image');
  const file = image?.type === 'string' ? image.elements[0] : undefined;
  if (file === undefined) throw new SkeinError('INPUT_MISSING', 'The input `image` is missing.');
  return file;
}

function answer(raster: Raster, lines: readonly Line[]): TensorMap {
  const texts = lines.map(({ text }) => text);
  const confidences = lines.map(({ confidence }) => confidence);
  const corners = lines.flatMap(({ quad }) =>
    quad.flatMap(({ x, y }) => [within(x, raster.width), within(y, raster.height)]),
  );
  return new Map<string, Tensor>([
    ['text', stringTensor([lines.length], texts)],
    ['confidence', tensor('float32', [lines.length], Float32Array.from(confidences))],
    ['box', tensor('float32', [lines.length, 4, 2], Float32Array.from(corners))],
  ]);
}

function within(value: number, max: number): number {
  return Math.min(max, Math.max(0, value));
}
