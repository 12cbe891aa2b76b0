import * as fc from 'fast-check';
import { values } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { detectionInput, detectionSize } from './detect.ts';
import { resize } from './image.ts';

describe('detectionSize', () => {
  it('has sides that are multiples of 32, at most 960, and nearly the picture’s proportions', () => {
    const side = fc.integer({ min: 1, max: 20_000 });
    fc.assert(
      fc.property(side, side, (width, height) => {
        const size = detectionSize({ width, height });
        for (const each of [size.width, size.height]) {
          expect(each % 32).toBe(0);
          expect(each).toBeGreaterThanOrEqual(32);
          expect(each).toBeLessThanOrEqual(960);
        }
        const scale = Math.min(1, 960 / Math.max(width, height));
        if (Math.min(width, height) * scale < 64) return;
        expect(
          Math.abs(Math.log(size.width / size.height) - Math.log(width / height)),
        ).toBeLessThan(0.6);
      }),
    );
  });

  it.each([
    [
      { width: 640, height: 480 },
      { width: 640, height: 480 },
    ],
    [
      { width: 700, height: 460 },
      { width: 640, height: 416 },
    ],
    [
      { width: 900, height: 700 },
      { width: 736, height: 576 },
    ],
    [
      { width: 4000, height: 3000 },
      { width: 960, height: 736 },
    ],
    [
      { width: 3, height: 9000 },
      { width: 32, height: 960 },
    ],
  ])('searches %o as %o', (picture, input) => {
    expect(detectionSize(picture)).toEqual(input);
  });
});

describe('detectionInput', () => {
  it('is blue, green, red, with ImageNet’s statistics in that order', async () => {
    const pixels = Uint8Array.from(
      { length: 32 * 32 * 3 },
      (_, index) => [255, 128, 0][index % 3]!,
    );
    const input = (await detectionInput({ width: 32, height: 32, pixels }, resize)).get('x');
    if (input?.type !== 'float32') throw new TypeError('not float32');
    expect(input.shape).toEqual([1, 3, 32, 32]);
    const data = values(input);
    expect(data[0]).toBeCloseTo((0 - 0.485) / 0.229, 5);
    expect(data[32 * 32]).toBeCloseTo((128 / 255 - 0.456) / 0.224, 5);
    expect(data[2 * 32 * 32]).toBeCloseTo((1 - 0.406) / 0.225, 5);
  });
});
