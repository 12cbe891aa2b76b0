/**
 * Reads the text of a picture: detect the lines, see which way up they are, read each one.
 *
 *   bytes → image → ocr-detect → boxes → ocr-orient → ocr-recognise (one call per line) → text
 *
 * The networks are deployments of their own, with their own replicas and queues. The steps between
 * them are the arithmetic of PaddleOCR's PP-OCRv4, in the other files of this folder.
 */
import { SkeinError } from '@skein/api';
import { stringTensor, tensor, values, type Tensor, type TensorMap } from '@skein/onnx';
import { defineComposition, type CompositionContext } from '@skein/serving/composition';
import { boxesOf } from './boxes.ts';
import { pyramidFor } from './crop.ts';
import { readDictionary } from './ctc.ts';
import { detectionInput } from './detect.ts';
import type { Point, Quad } from './geometry.ts';
import { decode, type Raster } from './image.ts';
import { DICTIONARY } from './models.ts';
import { orient } from './orient.ts';
import { readingOrder } from './order.ts';
import { recognise } from './recognise.ts';

/** Mean probability below which a reading is noise, as in PaddleOCR. */
const LEAST_CONFIDENCE = 0.5;

/**
 * Pixels by which the detector's map lies right of and below its input, for every orientation of
 * the text.
 */
const MAP_OFFSET = 0.5;

const dictionary = readDictionary(DICTIONARY);

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
    const found = await findLines(raster, context);
    if (found.length === 0) return answer(raster, []);
    const pyramid = await pyramidFor(raster, found);
    const quads = await orient(pyramid, found, (x) => context.call('ocr-orient', x));
    const readings = await recognise(pyramid, quads, dictionary, (x) =>
      context.call('ocr-recognise', x),
    );
    const lines = quads.map((quad, index) => ({ quad, ...readings[index]! }));
    const read = lines.filter(
      (line) => line.text.trim() !== '' && line.confidence >= LEAST_CONFIDENCE,
    );
    const order = readingOrder(read.map((line) => line.quad));
    return answer(
      raster,
      order.map((index) => read[index]!),
    );
  },
});

interface Line {
  readonly quad: Quad;
  readonly text: string;
  readonly confidence: number;
}

function imageOf(inputs: TensorMap): Uint8Array {
  const image = inputs.get('image');
  const file = image?.type === 'string' ? image.elements[0] : undefined;
  if (file === undefined) throw new SkeinError('INPUT_MISSING', 'The input `image` is missing.');
  return file;
}

/** Boxes in pixels of the picture. */
async function findLines(raster: Raster, context: CompositionContext): Promise<Quad[]> {
  const outputs = await context.call('ocr-detect', await detectionInput(raster));
  const output = outputs.values().next().value;
  if (output?.type !== 'float32') throw new TypeError('The detector gave no probabilities.');
  const [height = 0, width = 0] = output.shape.slice(-2);
  const boxes = boxesOf({ width, height, values: values(output) as Float32Array });
  const scale = ({ x, y }: Point): Point => ({
    x: ((x - MAP_OFFSET) * raster.width) / width,
    y: ((y - MAP_OFFSET) * raster.height) / height,
  });
  return boxes.map(({ quad: [a, b, c, d] }) => [scale(a), scale(b), scale(c), scale(d)]);
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
