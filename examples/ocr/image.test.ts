import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decode, MAX_PIXELS, resize } from './image.ts';
import type { Raster } from './raster.ts';
import { pngClaiming } from './testing/png-claiming.ts';

const RED = { r: 255, g: 0, b: 0 };

/** Left half red, right half blue. */
function twoHalves(width = 8, height = 4): Sharp {
  const blue = { create: { width: width / 2, height, channels: 3 as const, background: '#00f' } };
  return sharp({ create: { width, height, channels: 3, background: RED } }).composite([
    { input: blue, left: width / 2, top: 0 },
  ]);
}

function pixel({ width, pixels }: Raster, x: number, y: number): number[] {
  return [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

describe('decode', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('reads %s as RGB', async (format) => {
    const raster = await decode(await twoHalves(64, 32).toFormat(format).toBuffer());
    expect([raster.width, raster.height, raster.pixels.length]).toEqual([64, 32, 64 * 32 * 3]);
    const [red = 0, , redsBlue = 255] = pixel(raster, 4, 4);
    const [bluesRed = 255, , blue = 0] = pixel(raster, 60, 28);
    expect(red).toBeGreaterThan(240);
    expect(redsBlue).toBeLessThan(15);
    expect(blue).toBeGreaterThan(240);
    expect(bluesRed).toBeLessThan(15);
  });

  it('turns a photo upright by its EXIF orientation', async () => {
    // Orientation 6: the first column of the file is the top of the picture.
    const file = await twoHalves(64, 32).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const raster = await decode(file);
    expect([raster.width, raster.height]).toEqual([32, 64]);
    expect(pixel(raster, 16, 4)[0]).toBeGreaterThan(240);
    expect(pixel(raster, 16, 60)[2]).toBeGreaterThan(240);
  });

  it('puts what is transparent on white', async () => {
    const clear = {
      create: { width: 4, height: 4, channels: 4 as const, background: '#00000000' },
    };
    expect(pixel(await decode(await sharp(clear).png().toBuffer()), 1, 1)).toEqual([255, 255, 255]);
  });

  it('reads grey, 16-bit and CMYK pictures as RGB bytes', async () => {
    const grey = sharp({ create: { width: 4, height: 4, channels: 3, background: '#808080' } });
    const files = [
      await grey.clone().greyscale().png().toBuffer(),
      await grey.clone().toColourspace('rgb16').png().toBuffer(),
      await grey.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer(),
    ];
    for (const file of files) {
      const raster = await decode(file);
      expect(raster.pixels.length).toBe(4 * 4 * 3);
      for (const value of pixel(raster, 2, 2)) expect(Math.abs(value - 128)).toBeLessThan(20);
    }
  });

  it('refuses a file that claims 100,000 × 100,000 pixels by its header alone', async () => {
    await expect(decode(pngClaiming(100_000, 100_000))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining('100000 × 100000'),
    });
  });

  it('refuses one row more than the limit', async () => {
    const side = Math.floor(Math.sqrt(MAX_PIXELS));
    const rows = Math.floor(MAX_PIXELS / side) + 1;
    await expect(decode(pngClaiming(side, rows))).rejects.toMatchObject({
      message: expect.stringContaining(`${MAX_PIXELS}`),
    });
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'its 0 bytes are none'],
    ['text', Buffer.from('hello, world'), 'begin with 68656c6c'],
    [
      'an SVG, which could name other files',
      Buffer.from('<svg width="9" height="9"/>'),
      'not a PNG',
    ],
    ['a RIFF file of another kind', Buffer.from('RIFF....WAVEfmt '), 'not a PNG'],
    ['a signature alone', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'cannot be decoded'],
  ])('refuses %s', async (_, file, message) => {
    await expect(decode(file)).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it.each(['png', 'jpeg', 'webp'] as const)('refuses half of a %s file', async (format) => {
    const noise = Buffer.from(
      Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 251),
    );
    const raw = { width: 64, height: 64, channels: 3 as const };
    const file = await sharp(noise, { raw }).toFormat(format).toBuffer();
    const half = file.subarray(0, file.length / 2);
    await expect(decode(half)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  });
});

describe('resize', () => {
  it('returns the same raster for the same size', async () => {
    const raster = { width: 2, height: 1, pixels: new Uint8Array(6) };
    expect(await resize(raster, 2, 1)).toBe(raster);
  });

  it('keeps the mean of a fine pattern', async () => {
    const pixels = new Uint8Array(40 * 40 * 3).map((_, index) => (Math.floor(index / 3) % 2) * 255);
    const half = await resize({ width: 40, height: 40, pixels }, 20, 20);
    for (const value of half.pixels) expect(Math.abs(value - 127)).toBeLessThan(32);
  });
});
