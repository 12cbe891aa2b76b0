/** Images of files, decoded and brought to one size. */
import { resolve } from 'node:path';
import type * as SharpModule from 'sharp';
import { SkeinError } from '@skein/api/errors';
import { importOptional } from '@skein/api/user-modules';
import type { BatchFunction } from '../batch-function.ts';
import { assertOptions, integerOption, textColumn } from './built-in.ts';

type Sharp = typeof SharpModule;

const MOST_SIDE = 16_384;

/**
 * The rows with a column `image`: the file of `path` as PNG in base64. It is turned as its camera was held, scaled so that
 * the smaller side fits, and cropped to the centre.
 */
export const images: BatchFunction = async (columns, options) => {
  assertOptions(options, ['column', 'folder', 'width', 'height']);
  const { column = 'path', folder = '.' } = options;
  const width = integerOption(options, 'width', 224, [1, MOST_SIDE]);
  const height = integerOption(options, 'height', 224, [1, MOST_SIDE]);
  const sharp = (await importOptional<Sharp>('sharp', 'Images', import.meta.url)).default;
  const found: (string | null)[] = [];
  // One after the other: a decoded image takes up to a gigabyte, and the library uses all cores for one.
  for (const path of textColumn(columns, column)) {
    if (path === null) {
      found.push(null);
      continue;
    }
    const image = sharp(resolve(folder, path)).rotate().flatten({ background: '#fff' });
    const png = await image
      .resize(width, height)
      .toColourspace('srgb')
      .png()
      .toBuffer()
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new SkeinError(
          'FUNCTION_INVALID',
          `"${path}" cannot be decoded as an image: ${reason}`,
          { cause: error },
        );
      });
    found.push(png.toString('base64'));
  }
  return { ...columns, image: found };
};
