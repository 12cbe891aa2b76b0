import * as fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { cropInto, LINE_HEIGHT, pyramidFor, straightWidth } from './crop.ts';
import { cornersOf, turn, type Point, type Quad } from './geometry.ts';
import { resize } from './image.ts';
import type { Raster } from './raster.ts';

const WIDTH = 240;

/** A smooth picture, so that two ways of sampling it must agree. */
async function smooth(width = 400, height = 300): Promise<Raster> {
  const pixels = new Uint8Array(width * height * 3);
  for (let index = 0; index < width * height; index++) {
    const [x, y] = [index % width, Math.floor(index / width)];
    pixels[index * 3] = 128 + 100 * Math.sin(x / 23);
    pixels[index * 3 + 1] = 128 + 100 * Math.cos(y / 17);
    pixels[index * 3 + 2] = (x + y) % 256 < 128 ? 40 + ((x + y) % 256) : 296 - ((x + y) % 256);
  }
  return { width, height, pixels };
}

async function crop(raster: Raster, quad: Quad, width = WIDTH): Promise<Float32Array> {
  const out = new Float32Array(3 * LINE_HEIGHT * width);
  cropInto(out, 0, width, width, await pyramidFor(raster, [quad], resize), quad);
  return out;
}

/** Bytes of an RGB picture of the line's size as the networks want them. */
function asInput(pixels: Uint8Array, width = WIDTH): Float32Array {
  const plane = LINE_HEIGHT * width;
  return Float32Array.from(
    { length: 3 * plane },
    (_, index) => pixels[(index % plane) * 3 + 2 - Math.floor(index / plane)]! / 127.5 - 1,
  );
}

function meanDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((sum, value, index) => sum + Math.abs(value - b[index]!), 0) / a.length;
}

const upright = (x: number, y: number, width: number, height: number): Quad => [
  { x, y },
  { x: x + width, y },
  { x: x + width, y: y + height },
  { x, y: y + height },
];

describe('cropInto', () => {
  it('agrees with cutting and resizing where the line is level', async () => {
    const raster = await smooth();
    const raw = { width: raster.width, height: raster.height, channels: 3 as const };
    const pixels = await sharp(raster.pixels, { raw })
      .extract({ left: 40, top: 60, width: 160, height: 32 })
      .resize(WIDTH, LINE_HEIGHT, { fit: 'fill', kernel: 'linear' })
      .raw()
      .toBuffer();
    const found = await crop(raster, upright(40, 60, 160, 32));
    expect(meanDifference(found, asInput(pixels))).toBeLessThan(0.02);
  });

  it('samples at the positions of the geometry, to a tenth of a pixel', async () => {
    // Brightness is the position, so each value shows where it was read.
    const raster = { width: 256, height: 256, pixels: new Uint8Array(256 * 256 * 3) };
    for (let index = 0; index < 256 * 256; index++) {
      raster.pixels[index * 3] = index % 256;
      raster.pixels[index * 3 + 1] = Math.floor(index / 256);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
        fc.double({ min: 30, max: 60, noNaN: true }),
        async (angle, height) => {
          const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
          const at = (x: number, y: number): Point => ({
            x: 128 + x * cos - y * sin,
            y: 128 + x * sin + y * cos,
          });
          const [halfWidth, halfHeight] = [80, height / 2];
          const quad: Quad = [
            at(-halfWidth, -halfHeight),
            at(halfWidth, -halfHeight),
            at(halfWidth, halfHeight),
            at(-halfWidth, halfHeight),
          ];
          const found = await crop(raster, quad);
          const plane = LINE_HEIGHT * WIDTH;
          for (let index = 0; index < plane; index += 97) {
            const along = (((index % WIDTH) + 0.5) / WIDTH) * 160 - 80;
            const across = ((Math.floor(index / WIDTH) + 0.5) / LINE_HEIGHT) * height - halfHeight;
            const { x, y } = at(along, across);
            // Pixel n is centred on n + 0.5.
            expect(Math.abs((found[2 * plane + index]! + 1) * 127.5 + 0.5 - x)).toBeLessThan(0.1);
            expect(Math.abs((found[plane + index]! + 1) * 127.5 + 0.5 - y)).toBeLessThan(0.1);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it.each([-80, -30, 4, 45, 75])('straightens a line on a page turned by %s°', async (degrees) => {
    const raster = await smooth();
    const raw = { width: raster.width, height: raster.height, channels: 3 as const };
    const { data, info } = await sharp(raster.pixels, { raw })
      .rotate(degrees)
      .raw()
      .toBuffer({ resolveWithObject: true });
    const angle = (degrees * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const [shiftX, shiftY] = [info.width / 2, info.height / 2];
    const turned = (x: number, y: number): { x: number; y: number } => ({
      x: (x - 200) * cos - (y - 150) * sin + shiftX,
      y: (x - 200) * sin + (y - 150) * cos + shiftY,
    });
    const quad: Quad = [turned(120, 130), turned(280, 130), turned(280, 162), turned(120, 162)];
    const straight = await crop(raster, upright(120, 130, 160, 32));
    const found = await crop({ width: info.width, height: info.height, pixels: data }, quad);
    expect(meanDifference(found, straight)).toBeLessThan(0.04);
  });

  it('reads from the corner where the text begins', async () => {
    const raster = await smooth();
    const quad = upright(40, 60, 160, 32);
    const [straight, flipped] = [await crop(raster, quad), await crop(raster, turn(quad, 2))];
    const plane = LINE_HEIGHT * WIDTH;
    const backwards = Float32Array.from(
      straight,
      (_, index) => straight[Math.floor(index / plane) * plane + (plane - 1 - (index % plane))]!,
    );
    expect(meanDifference(flipped, backwards)).toBeLessThan(1e-5);
  });

  it('repeats the edge of the picture beyond it', async () => {
    const white = { width: 40, height: 20, pixels: new Uint8Array(40 * 20 * 3).fill(255) };
    for (const value of await crop(white, upright(-30, -10, 100, 40))) expect(value).toBe(1);
  });

  it('leaves what is past the width untouched', async () => {
    const raster = await smooth();
    const quad = upright(0, 0, 100, 48);
    const out = new Float32Array(3 * LINE_HEIGHT * 128).fill(9);
    cropInto(out, 0, 128, 100, await pyramidFor(raster, [quad], resize), quad);
    for (let index = 0; index < out.length; index++) {
      if (index % 128 < 100) expect(Math.abs(out[index]!)).toBeLessThanOrEqual(1);
      else expect(out[index]).toBe(9);
    }
  });
});

describe('pyramidFor', () => {
  it('halves until the tallest line is near the height of the networks', async () => {
    const raster = await smooth(800, 600);
    const levels = await pyramidFor(
      raster,
      [upright(0, 0, 500, 60), upright(0, 0, 700, 380)],
      resize,
    );
    expect(levels.map((level) => level.width)).toEqual([800, 400, 200, 100]);
  });

  it('does not let fine stripes flicker in large letters', async () => {
    const pixels = new Uint8Array(960 * 480 * 3).map(
      (_, index) => (Math.floor(index / 3) % 2) * 255,
    );
    const found = await crop({ width: 960, height: 480, pixels }, upright(100, 40, 760, 400));
    // Black and white stripes of one pixel are grey from afar.
    for (const value of found) expect(Math.abs(value)).toBeLessThan(0.3);
  });
});

describe('straightWidth', () => {
  it('keeps the proportions and never is nothing', () => {
    const box = cornersOf({ centre: { x: 0, y: 0 }, axis: { x: 1, y: 0 }, width: 300, height: 30 });
    expect(straightWidth(box)).toBe(480);
    expect(straightWidth(upright(5, 5, 0, 0))).toBe(1);
  });
});
