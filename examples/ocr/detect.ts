/**
 * The detector's input: the whole picture, resized, normalised, channel by channel; and the boxes of its output.
 *
 * PP-OCR was trained on OpenCV's channel order with ImageNet's statistics applied in that order, so
 * blue comes first and takes the numbers that ImageNet has for red. Following the paper's numbers
 * instead of its code costs accuracy.
 */
import { tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import { boxesOf } from './boxes.ts';
import type { Point, Quad } from './geometry.ts';
import type { Raster, Resize } from './raster.ts';

/** The detector's network halves its input five times, so its sides are multiples of this. */
const STRIDE = 32;

/**
 * The detector's cost grows with the area of its input (one core: 80 ms for 640 × 480, 190 ms for
 * 960 × 704), and it finds text down to about 8 pixels of height. So a picture of up to 640 pixels
 * is searched as it is, a larger one at four fifths, which loses nothing on print of 13 pixels and
 * saves a third of the time, and none at more than 960.
 */
const SMALL_SIDE = 640;
const SHRINK = 0.8;
const LONG_SIDE = 960;

const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;
/** Normalised value of each byte, for blue, green and red. */
const NORMALISED = MEAN.map((mean, channel) =>
  Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean) / DEVIATION[channel]!),
) as [Float32Array, Float32Array, Float32Array];

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size at which a picture is searched: never enlarged, both sides a multiple of the stride. */
export function detectionSize({ width, height }: Size): Size {
  const longer = Math.max(width, height);
  const target = Math.min(longer, LONG_SIDE, Math.max(SMALL_SIDE, longer * SHRINK));
  const scale = target / longer;
  const snap = (side: number): number =>
    Math.max(STRIDE, Math.round((side * scale) / STRIDE) * STRIDE);
  return { width: snap(width), height: snap(height) };
}

/** @returns `x`: float32 [1, 3, height, width]. */
export async function detectionInput(raster: Raster, resize: Resize): Promise<TensorMap> {
  const { width, height } = detectionSize(raster);
  const resized = await resize(raster, width, height);
  return new Map([['x', normalised(resized)]]);
}

/**
 * Pixels by which the detector's map lies right of and below its input, for every orientation of
 * the text.
 */
const MAP_OFFSET = 0.5;

/** @param outputs of the detector. @returns boxes in pixels of the picture. */
export function detectedQuads(outputs: TensorMap, raster: Raster): Quad[] {
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

function normalised({ width, height, pixels }: Raster): NumericTensor {
  const plane = width * height;
  const out = new Float32Array(3 * plane);
  const [blue, green, red] = NORMALISED;
  for (let index = 0, from = 0; index < plane; index++, from += 3) {
    out[index] = blue[pixels[from + 2]!]!;
    out[plane + index] = green[pixels[from + 1]!]!;
    out[2 * plane + index] = red[pixels[from]!]!;
  }
  return tensor('float32', [1, 3, height, width], out);
}
