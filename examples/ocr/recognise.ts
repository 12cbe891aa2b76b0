/**
 * Reads lines of text: one call of the recogniser per line, all of them at once.
 *
 * Why not one call with all lines: a batch must have one width, so a page's short cells would be
 * padded to its longest sentence, and the network's cost is linear in the width. Sent one by one,
 * lines of the same width can still share a run with each other and with other requests, and the
 * rest spreads over the replicas.
 */
import { tensor, values, type Tensor, type TensorMap } from '@skein/onnx';
import { decodeGreedily, type Reading } from './ctc.ts';
import { cropInto, LINE_HEIGHT, straightWidth, type Pyramid } from './crop.ts';
import { depthOf, grow, type Quad } from './geometry.ts';

export type Call = (inputs: TensorMap) => Promise<TensorMap>;

/**
 * Margin above and below a box, as a share of its depth. The network was trained on lines with
 * more air than the detector's boxes leave: cut tightly, words run together (of 135 drawn lines 16
 * are read exactly without a margin, 132 with this one), and the line comes out wider than it need be.
 */
const MARGIN_ACROSS = 0.22;
/** At both ends a margin changes nothing but the width, which is what the network's time depends on. */
const MARGIN_ALONG = 0.1;

/** Width in pixels by which inputs grow. */
const WIDTH_STEP = 32;
const MOST_WIDTH = 2560;

/**
 * The input width for a line. The network's own step is 8, but then hardly two lines of a page have
 * the same width, and only lines of one width can share a run. 32 costs 16 columns of padding on
 * average, about 7 % of the work of a page; 64 would cost as much again. A line longer than the
 * largest width is squeezed into it.
 */
export function bucketWidth(straight: number): number {
  return Math.min(MOST_WIDTH, Math.ceil(straight / WIDTH_STEP) * WIDTH_STEP);
}

/** @returns one reading per quad, in their order. */
export async function recognise(
  pyramid: Pyramid,
  quads: readonly Quad[],
  dictionary: readonly string[],
  call: Call,
): Promise<Reading[]> {
  const lines = quads.map((box, index) => {
    const quad = grow(box, MARGIN_ALONG * depthOf(box), MARGIN_ACROSS * depthOf(box));
    return { index, quad, straight: straightWidth(quad) };
  });
  // The longest first, so that no replica is left with a long line when the others are done.
  lines.sort((a, b) => b.straight - a.straight);
  const readings: Reading[] = [];
  await Promise.all(
    lines.map(async ({ index, quad, straight }) => {
      const outputs = await call(recogniserInput(pyramid, quad, straight));
      const { text, confidence } = decodeGreedily(probabilitiesOf(outputs), dictionary);
      readings[index] = { text: narrow(text), confidence };
    }),
  );
  return readings;
}

/**
 * Replaces full-width letters, digits and punctuation by ordinary ones, except in Chinese or Japanese text,
 * where they belong. The dictionary has both, and a lone `２` or `）` has the same shape in either.
 */
export function narrow(text: string): string {
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return text;
  return text.replaceAll(/[\uFF01-\uFF5E]/g, (wide) =>
    String.fromCharCode(wide.charCodeAt(0) - 0xfee0),
  );
}

function recogniserInput(pyramid: Pyramid, quad: Quad, straight: number): TensorMap {
  const stride = bucketWidth(straight);
  const data = new Float32Array(3 * LINE_HEIGHT * stride);
  cropInto(data, 0, stride, Math.min(straight, stride), pyramid, quad);
  return new Map([['x', tensor('float32', [1, 3, LINE_HEIGHT, stride], data)]]);
}

function probabilitiesOf(outputs: TensorMap): Float32Array {
  const output: Tensor | undefined = outputs.values().next().value;
  if (output?.type !== 'float32') throw new TypeError('The recogniser gave no probabilities.');
  return values(output) as Float32Array;
}
