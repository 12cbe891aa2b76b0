/**
 * Cuts a line of text out of a picture, straightened, at the height that the networks read.
 *
 * A box is a rectangle that at most an unequal resize has sheared, so an affine map takes it apart
 * exactly. Large letters are first halved until they are near the target height, because sampling
 * every third pixel of a stroke makes it flicker; all lines of a picture share the halved copies.
 */
import { depthOf, lengthOf, type Quad } from './geometry.ts';
import type { Raster, Resize } from './raster.ts';

/** Height in pixels of a line as the recogniser and the classifier were trained on it. */
export const LINE_HEIGHT = 48;

/** The picture and its halves, quarters, eighths, …; the first is the original. */
export type Pyramid = readonly [Raster, ...Raster[]];

/** Makes as many levels as these lines need. */
export async function pyramidFor(
  raster: Raster,
  quads: readonly Quad[],
  resize: Resize,
): Promise<Pyramid> {
  const levels: [Raster, ...Raster[]] = [raster];
  const wanted = quads.reduce((most, quad) => Math.max(most, levelOf(quad)), 0);
  for (let last = raster; levels.length <= wanted; levels.push(last)) {
    last = await resize(last, Math.ceil(last.width / 2), Math.ceil(last.height / 2));
  }
  return levels;
}

/** Width in pixels of a line once it is `LINE_HEIGHT` high; at least 1. */
export function straightWidth(quad: Quad): number {
  return Math.max(1, Math.round((LINE_HEIGHT * lengthOf(quad)) / Math.max(1, depthOf(quad))));
}

/**
 * Writes a line as the networks want it: channel by channel, blue first, bytes mapped to −1…1.
 * Columns past `width` are left as they are; zero, the middle grey, is what training padded with.
 *
 * @param width columns that the line fills.
 * @param out [3, LINE_HEIGHT, stride], at `offset`.
 */
export function cropInto(
  out: Float32Array,
  offset: number,
  stride: number,
  width: number,
  pyramid: Pyramid,
  quad: Quad,
): void {
  const level = Math.min(levelOf(quad), pyramid.length - 1);
  const raster = pyramid[level] ?? pyramid[0];
  const scaleX = raster.width / pyramid[0].width;
  const scaleY = raster.height / pyramid[0].height;
  const [origin, right, , below] = quad;
  const stepX = ((right.x - origin.x) * scaleX) / width;
  const stepY = ((right.y - origin.y) * scaleY) / width;
  const downX = ((below.x - origin.x) * scaleX) / LINE_HEIGHT;
  const downY = ((below.y - origin.y) * scaleY) / LINE_HEIGHT;
  // From the centre of the first column and row; half a pixel back, so that integers are pixel centres.
  const firstX = origin.x * scaleX + (stepX + downX) / 2 - 0.5;
  const firstY = origin.y * scaleY + (stepY + downY) / 2 - 0.5;

  const { pixels } = raster;
  const maxX = raster.width - 1;
  const maxY = raster.height - 1;
  const rowBytes = raster.width * 3;
  const plane = LINE_HEIGHT * stride;
  for (let row = 0; row < LINE_HEIGHT; row++) {
    let blue = offset + row * stride;
    for (let column = 0; column < width; column++, blue++) {
      const x = clamp(firstX + column * stepX + row * downX, maxX);
      const y = clamp(firstY + column * stepY + row * downY, maxY);
      const x0 = Math.floor(x);
      const y0 = Math.floor(y);
      const fx = x - x0;
      const fy = y - y0;
      const a = y0 * rowBytes + x0 * 3;
      const b = x0 < maxX ? a + 3 : a;
      const down = y0 < maxY ? rowBytes : 0;
      const weightA = (1 - fx) * (1 - fy);
      const weightB = fx * (1 - fy);
      const weightC = (1 - fx) * fy;
      const weightD = fx * fy;
      for (let channel = 0, at = blue; channel < 3; channel++, at += plane) {
        const shift = 2 - channel;
        const value =
          pixels[a + shift]! * weightA +
          pixels[b + shift]! * weightB +
          pixels[a + down + shift]! * weightC +
          pixels[b + down + shift]! * weightD;
        out[at] = value / 127.5 - 1;
      }
    }
  }
}

/** Times that the picture is halved before this line is cut; leaves between 0.7 and 1.4 source pixels per pixel. */
function levelOf(quad: Quad): number {
  return Math.max(0, Math.round(Math.log2(depthOf(quad) / LINE_HEIGHT)));
}

function clamp(value: number, max: number): number {
  return value < 0 ? 0 : value > max ? max : value;
}
