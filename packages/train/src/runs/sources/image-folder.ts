/**
 * Images in folders, one folder per class: `cats/1.jpg`, `dogs/2.png`. They are decoded, scaled so
 * that the smaller side fits, cropped to the centre, and become bytes [rows, channels, height,
 * width], the order of exporters of image models.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type * as SharpModule from 'sharp';
import { importOptional } from '@skein/api/user-modules';
import type { RowStore } from '../../data/rows/stored.ts';
import type { TrainingData } from '../../task/training-data.ts';
import { dataError } from '../../train-error.ts';

export interface ImageSize {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

type Sharp = typeof SharpModule;

const IMAGE = /\.(png|jpe?g|webp|gif|tiff?|avif)$/i;

/**
 * @throws TrainError `data` for a folder without classes or images, or a file that is not an image,
 * naming it.
 */
export async function readImageFolder(
  path: string,
  size: ImageSize,
  store: RowStore,
): Promise<TrainingData> {
  const files: ImageFile[] = [];
  const entries = await readdir(path, { withFileTypes: true });
  const classes = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  for (const [label, name] of classes.entries()) {
    const images = (await readdir(join(path, name))).filter((file) => IMAGE.test(file)).sort();
    if (images.length === 0) {
      throw dataError(`The folder '${name}' holds no images.`);
    }
    files.push(...images.map((file) => ({ path: join(path, name, file), label })));
  }
  if (classes.length === 0) {
    throw dataError('The folder holds no folders; there must be one for each class.');
  }
  const { channels, height, width } = size;
  const pixels = channels * height * width;
  const rows = { type: 'uint8', shape: [files.length, channels, height, width] } as const;
  const images =
    files.length * pixels > store.limit
      ? { ...rows, start: 0, bytes: await storedImages(files, size, store) }
      : { ...rows, bytes: await decodedImages(files, size) };
  const labels = BigInt64Array.from(files, ({ label }) => BigInt(label));
  return {
    from: 'arrays',
    inputs: new Map([['pixels', images]]),
    labels: { type: 'int64', shape: [files.length], bytes: new Uint8Array(labels.buffer) },
    classes,
  };
}

interface ImageFile {
  readonly path: string;
  readonly label: number;
}

async function decodedImages(files: readonly ImageFile[], size: ImageSize): Promise<Uint8Array> {
  const pixels = size.channels * size.height * size.width;
  const bytes = new Uint8Array(files.length * pixels);
  for (const [row, { path }] of files.entries()) bytes.set(await decoded(path, size), row * pixels);
  return bytes;
}

async function storedImages(files: readonly ImageFile[], size: ImageSize, store: RowStore) {
  const writer = store.create();
  for (const { path } of files) writer.append(await decoded(path, size));
  return writer.finish();
}

/** From rows of pixels to planes of channels. */
async function decoded(path: string, { channels, height, width }: ImageSize): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const image = sharp(path).rotate().flatten({ background: '#fff' }).resize(width, height);
  const pixels = await image
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer()
    .catch((error: unknown) => {
      throw dataError(`'${path}' cannot be decoded as an image.`, { cause: error });
    });
  const planes = new Uint8Array(channels * height * width);
  const plane = height * width;
  const stride = pixels.length / plane;
  for (let at = 0; at < plane; at++) {
    for (let channel = 0; channel < channels; channel++) {
      planes[channel * plane + at] = pixels[at * stride + channel]!;
    }
  }
  return planes;
}

/** An optional package: only folders of images need it. */
async function loadSharp(): Promise<Sharp['default']> {
  return (await importOptional<Sharp>('sharp', 'Folders of images', import.meta.url)).default;
}
