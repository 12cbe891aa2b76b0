/**
 * Images in folders, one folder per class: `cats/1.jpg`, `dogs/2.png`; or in a folder with a manifest, `manifest.csv`, that
 * has the path of each and its class. They are decoded, scaled so
 * that the smaller side fits, cropped to the centre, and become bytes [rows, channels, height,
 * width], the order of exporters of image models.
 */
import { createReadStream, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import type * as SharpModule from 'sharp';
import { importOptional } from '@skein/api/user-modules';
import type { RowStore } from '../../data/rows/stored.ts';
import type { Column } from '../../data/table/column.ts';
import { readCsv } from '../../data/table/read-table.ts';
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
  label = 'label',
): Promise<TrainingData> {
  const entries = await readdir(path, { withFileTypes: true });
  const { files, classes } = entries.some(({ name }) => name === MANIFEST)
    ? await listedImages(path, label)
    : await imagesByFolder(path, entries);
  const { channels, height, width } = size;
  const pixels = channels * height * width;
  const rows = { type: 'uint8', shape: [files.length, channels, height, width] } as const;
  const images =
    files.length * pixels > store.limit
      ? { ...rows, start: 0, bytes: await storedImages(files, size, store) }
      : { ...rows, bytes: await decodedImages(files, size) };
  const labels = BigInt64Array.from(files, ({ label: each }) => BigInt(each));
  return {
    from: 'arrays',
    inputs: new Map([['pixels', images]]),
    labels: { type: 'int64', shape: [files.length], bytes: new Uint8Array(labels.buffer) },
    classes,
  };
}

interface ListedImages {
  readonly files: readonly ImageFile[];
  readonly classes: readonly string[];
}

const MANIFEST = 'manifest.csv';

/** The images that a manifest names: a column `file`, with paths under the folder, and one of classes. */
async function listedImages(path: string, label: string): Promise<ListedImages> {
  const source = createReadStream(join(path, MANIFEST));
  const { columns, count } = await readCsv(source, { missing: 'keep', wanted: ['file', label] });
  const [names, labels] = ['file', label].map((wanted) => {
    const found = columns.find(({ name }) => name === wanted);
    if (found !== undefined) return textsOf(found, count);
    throw dataError(`The manifest has no column '${wanted}'.`);
  });
  const classes = [...new Set(labels)].sort();
  const files = names!.map((name, row): ImageFile => {
    const file = normalize(name);
    if (isAbsolute(file) || file.startsWith('..')) {
      throw dataError(`Row ${row} of the manifest names '${name}', outside the folder.`);
    }
    return { path: join(path, file), label: classes.indexOf(labels![row]!) };
  });
  return { files, classes };
}

/** The values of a column as texts. @throws TrainError `data` for a missing one, naming the row. */
function textsOf(column: Column, count: number): string[] {
  return Array.from({ length: count }, (_, row) => {
    const text =
      column.kind === 'number' ? String(column.values[row]) : column.categories[column.codes[row]!];
    if (text !== undefined && text !== 'NaN') return text;
    throw dataError(`Row ${row} of the manifest has no '${column.name}'.`);
  });
}

async function imagesByFolder(path: string, entries: readonly Dirent[]): Promise<ListedImages> {
  const files: ImageFile[] = [];
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
    throw dataError(
      `The folder holds no folders; there must be one for each class, or a ${MANIFEST}.`,
    );
  }
  return { files, classes };
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
