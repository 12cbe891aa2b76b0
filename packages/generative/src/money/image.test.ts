import { describe, expect, it } from 'vitest';
import { imageSizeOf, imageTokens } from './image.ts';

/** Images of 37 × 21 pixels, as libvips writes them. */
const FILES = {
  png: 'iVBORw0KGgoAAAANSUhEUgAAACUAAAAVCAIAAABOhrD5AAAACXBIWXMAAAPoAAAD6AG1e1JrAAAANUlEQVRIie3QMQ0AMBDDQPMn3ULIYv3kAxBL4d2ingp3bqrnQt5b6rmQ95Z6LuS9pZ7r+s8PrjwSbe7mGL4AAAAASUVORK5CYII=',
  jpeg: '/9j/2wBDAP//////////////////////////////////////////////////////////////////////////////////////2wBDAf//////////////////////////////////////////////////////////////////////////////////////wAARCAAVACUDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFAEBAAAAAAAAAAAAAAAAAAAAAP/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AKAAAAAAAAAAAA//2Q==',
  'progressive jpeg':
    '/9j/4QC8RXhpZgAASUkqAAgAAAAGABIBAwABAAAAAQAAABoBBQABAAAAVgAAABsBBQABAAAAXgAAACgBAwABAAAAAgAAABMCAwABAAAAAQAAAGmHBAABAAAAZgAAAAAAAAA4YwAA6AMAADhjAADoAwAABgAAkAcABAAAADAyMTABkQcABAAAAAECAwAAoAcABAAAADAxMDABoAMAAQAAAP//AAACoAQAAQAAACUAAAADoAQAAQAAABUAAAAAAAAA/9sAQwD//////////////////////////////////////////////////////////////////////////////////////9sAQwH//////////////////////////////////////////////////////////////////////////////////////8IAEQgAFQAlAwEiAAIRAQMRAf8=',
  'lossy webp': 'UklGRjQAAABXRUJQVlA4ICgAAADwAgCdASolABUAP83m7XA/uDIrJWgD8DmJaQAAKUNt8AD+6RAAAAAA',
  'lossless webp': 'UklGRh4AAABXRUJQVlA4TBEAAAAvJAAFAAfQ//73v/+BiOh/AAA=',
  'extended webp':
    'UklGRlgAAABXRUJQVlA4WAoAAAAQAAAAJAAAFAAAQUxQSAoAAAABB1DAiAhERP8DVlA4ICgAAADwAgCdASolABUAP83m7XA/uDIrJWgD8DmJaQAAKUNt8AD+6WOCgAAA',
} as const;
const GIF =
  'R0lGODlhJQAVAIAAAExpcf///yH5BAUAAAAALAAAAAAlABUAAAIajI+py+0Po5y02ouz3rz7D4biSJbmiaYqWgAAOw==';
const dataOf = (base64: string, type = 'image/png'): string => `data:${type};base64,${base64}`;

/** The head of a PNG of a size. */
function pngOf(width: number, height: number): string {
  const bytes = Buffer.from(FILES.png, 'base64');
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return dataOf(bytes.toString('base64'));
}

describe('the size of an image', () => {
  it.each(Object.entries(FILES))(
    'is read from its head, whatever its declared type: %s',
    (...row) => {
      expect(imageSizeOf(dataOf(row[1]))).toEqual({ width: 37, height: 21 });
    },
  );

  it.each([
    ['an address', 'https://a.b/c.png'],
    ['another format', dataOf(GIF)],
    ['text', 'data:image/png,abc'],
    ['nothing', dataOf('')],
    ['no pixels', pngOf(0, 5)],
    ['a cut head', dataOf(FILES.png.slice(0, 24))],
    ['a jpeg without a frame', dataOf(FILES['progressive jpeg'].slice(0, 120))],
  ])('is not known of %s', (_, url) => {
    expect(imageSizeOf(url)).toBeUndefined();
  });
});

describe('the tokens of an image', () => {
  it.each([
    // GPT-4o mini bills a small one as one tile, and one of 1024 × 1024 as four.
    [128, 64, 2833 + 5667],
    [1024, 1024, 2833 + 4 * 5667],
    // The largest of its table: 1536 × 768 after it has been shrunk.
    [4096, 2048, 2833 + 6 * 5667],
    // Patches of 28 pixels, on a server that takes as many as there are.
    [16_384, 16_384, Math.ceil(16_384 / 28) ** 2],
  ])('of %s × %s are at most what the dearest rule counts', (width, height, most) => {
    expect(imageTokens(pngOf(width, height)).most).toBe(most);
  });

  it('grow with the image, and have no bound where its size is not known', () => {
    const sides = [64, 512, 1024, 4096, 8192, 16_384].map((side) => imageTokens(pngOf(side, side)));
    for (const { most, expected } of sides) expect(expected).toBeLessThan(most!);
    expect(sides.map(({ expected }) => expected)).toEqual(
      sides.map(({ expected }) => expected).toSorted((a, b) => a - b),
    );
    // Counted in Gemini's tiles.
    expect(sides.at(-1)!.most).toBeGreaterThan(22 * 22 * 258);
    expect(imageTokens('https://a.b/c.png').most).toBeUndefined();
  });
});
