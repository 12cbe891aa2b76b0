/**
 * Finds where the text of each box begins: a scan may lie on its side or upside down.
 *
 * A box alone shows only the axis of its text, and not even that when it holds one character. So
 * lines are judged together: those that run the way of the page's long boxes are one group, and the
 * group's longest lines vote, through a small classifier, on whether it is upside down. A vote of a
 * few long lines is cheaper and less often wrong than a verdict on each line, which for a short word
 * is hardly better than a guess.
 */
import { tensor, values, type TensorMap } from '@skein/onnx';
import { cropInto, LINE_HEIGHT, straightWidth, type Pyramid } from './crop.ts';
import { depthOf, lengthOf, turn, type Quad } from './geometry.ts';

/** Lines of a group that vote. */
const VOTERS = 6;
/** Width in pixels of the classifier's input. */
const VOTER_WIDTH = 192;
/** Height over width from which a box alone is enough to call its text vertical, as in PaddleOCR. */
const CLEARLY_LONG = 1.5;

/**
 * Turns each quad so that it begins at the top left of its text.
 *
 * @param quads with the side nearest to horizontal on top.
 * @param call the classifier: float32 [lines, 3, 48, 192] → [lines, 2], the probabilities of 0° and 180°.
 */
export async function orient(
  pyramid: Pyramid,
  quads: readonly Quad[],
  call: (inputs: TensorMap) => Promise<TensorMap>,
): Promise<Quad[]> {
  const vertical = verticalOnes(quads);
  const turned = quads.map((quad, index) => (vertical[index] === true ? turn(quad, 1) : quad));
  const groups = [false, true].map((is) => turned.filter((_, index) => vertical[index] === is));
  const voters = groups.map(votersOf);
  const odds = await upsideDownOdds(pyramid, voters.flat(), call);
  const [first, second] = [odds.slice(0, voters[0]!.length), odds.slice(voters[0]!.length)];
  const flipped = [sum(first) > 0, sum(second) > 0];
  return turned.map((quad, index) =>
    flipped[vertical[index] === true ? 1 : 0] ? turn(quad, 2) : quad,
  );
}

/** Which boxes hold text that runs down or up the page. Boxes of no clear shape follow the majority. */
export function verticalOnes(quads: readonly Quad[]): boolean[] {
  const shapes = quads.map((quad) => {
    const [width, height] = [lengthOf(quad), depthOf(quad)];
    if (height >= width * CLEARLY_LONG) return { vertical: true, weight: height };
    if (width >= height * CLEARLY_LONG) return { vertical: false, weight: width };
    return undefined;
  });
  const balance = sum(
    shapes.map((shape) =>
      shape === undefined ? 0 : shape.vertical ? shape.weight : -shape.weight,
    ),
  );
  return shapes.map((shape) => shape?.vertical ?? balance > 0);
}

function votersOf(quads: readonly Quad[]): Quad[] {
  return quads.toSorted((a, b) => lengthOf(b) - lengthOf(a)).slice(0, VOTERS);
}

/** Log-odds that each line is upside down. */
async function upsideDownOdds(
  pyramid: Pyramid,
  quads: readonly Quad[],
  call: (inputs: TensorMap) => Promise<TensorMap>,
): Promise<number[]> {
  if (quads.length === 0) return [];
  const rowSize = 3 * LINE_HEIGHT * VOTER_WIDTH;
  const data = new Float32Array(quads.length * rowSize);
  for (const [index, quad] of quads.entries()) {
    const width = Math.min(VOTER_WIDTH, straightWidth(quad));
    cropInto(data, index * rowSize, VOTER_WIDTH, width, pyramid, quad);
  }
  const outputs = await call(
    new Map([['x', tensor('float32', [quads.length, 3, LINE_HEIGHT, VOTER_WIDTH], data)]]),
  );
  const output = outputs.values().next().value;
  if (output?.type !== 'float32') throw new TypeError('The classifier gave no probabilities.');
  const probabilities = values(output);
  return quads.map((_, index) => {
    const upright = Number(probabilities[2 * index]);
    const upsideDown = Number(probabilities[2 * index + 1]);
    return Math.log(upsideDown + 1e-6) - Math.log(upright + 1e-6);
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
