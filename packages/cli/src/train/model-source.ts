/**
 * The initial model of a training: from a file, or a network that is built when its shape is known.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import {
  externalTensors,
  inlineExternalData,
  readModel,
  signatureOf,
  type Model,
} from '@skein/onnx';
import type { NetworkBuilder, Training } from '@skein/train';
import { unreadable } from '../file.ts';
import { usageError } from '../usage.ts';
import { explaining } from './failure.ts';
import type { ImageSize } from './image-folder.ts';
import { networkOf } from './networks.ts';

export interface ModelSource {
  readonly model: Model | NetworkBuilder;
  /** Default name of the run. */
  readonly name: string;
  /** The path, or the description of the network. */
  readonly described: string;
}

/**
 * @param resolvePath makes the path of a file absolute.
 * @throws SkeinError FILE_UNREADABLE, USAGE, TRAINING_MODEL_UNFIT, MODEL_EXTERNAL_DATA.
 */
export async function openModelSource(
  model: Training['model'],
  resolvePath: (path: string) => string,
): Promise<ModelSource> {
  if (typeof model === 'function') return { model, name: 'model', described: 'a function' };
  if (typeof model !== 'string') return { model, name: 'model', described: 'a value' };
  const built = networkOf(model);
  if (built !== undefined) {
    return { model: built, name: model.replace(/:.*/, ''), described: model };
  }
  if (extname(model).toLowerCase() !== '.onnx') {
    throw usageError(
      `"${model}" is neither an .onnx file nor a network to build, such as mlp:64,32 or cnn:16,32.`,
    );
  }
  const path = resolvePath(model);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(model, error);
  });
  const read = await explaining(model, async () => {
    const parsed = readModel(bytes);
    if (externalTensors(parsed).length > 0) {
      await inlineExternalData(parsed, (location) => readFile(join(dirname(path), location)));
    }
    return parsed;
  });
  return { model: read, name: basename(model, extname(model)), described: model };
}

/** The size of images that a model takes: [batch, channels, height, width]. */
export function imageSizeOf({ model }: ModelSource, given: ImageSize | undefined): ImageSize {
  if (given !== undefined) return given;
  const shape = typeof model === 'function' ? [] : (signatureOf(model).inputs[0]?.shape ?? []);
  const [, channels, height, width] = shape;
  const known = typeof height === 'number' && typeof width === 'number';
  if (shape.length === 4 && known && (channels === 1 || channels === 3)) {
    return { channels, height, width };
  }
  throw usageError(
    'The model does not say how large its images are: --image-size WIDTHxHEIGHTxCHANNELS, such as 32x32x3.',
  );
}
