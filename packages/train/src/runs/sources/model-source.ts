/**
 * The initial model of a training: from a file, or a network that is built when its shape is known.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { unreadable } from '@skein/api/file-errors';
import { usableMemoryBytes } from '@skein/api/machine';
import { formatBytes } from '@skein/api/units';
import {
  conv,
  dense,
  externalTensors,
  flatten,
  inlineExternalData,
  maxPool,
  mlp,
  readModel,
  sequential,
  signatureOf,
  type Model,
} from '@skein/onnx';
import type { NetworkBuilder, NetworkShape } from '../../task/assemble.ts';
import type { Training } from '../../task/define-training.ts';
import { explaining, invalidSetting } from '../failure.ts';
import type { ImageSize } from './image-folder.ts';

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
    throw invalidSetting(
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

/** Longest side of an image in pixels: one of this size takes 192 MiB. */
const MOST_SIDE = 8192;

/** The size of images that a model takes: [batch, channels, height, width]. */
export function imageSizeOf({ model }: ModelSource, given: ImageSize | undefined): ImageSize {
  if (given !== undefined) {
    const sides = [given.width, given.height];
    if (sides.every((side) => Number.isInteger(side) && side > 0 && side <= MOST_SIDE))
      return given;
    throw invalidSetting(
      `\`imageSize\`: ${sides.join(' × ')} is not a size from 1 to ${MOST_SIDE} on each side.`,
    );
  }
  const shape = typeof model === 'function' ? [] : (signatureOf(model).inputs[0]?.shape ?? []);
  const [, channels, height, width] = shape;
  const known = typeof height === 'number' && typeof width === 'number';
  if (shape.length === 4 && known && (channels === 1 || channels === 3)) {
    return { channels, height, width };
  }
  throw invalidSetting(
    'The model leaves the size of its images open: `imageSize` sets it, as width, height and channels.',
  );
}

/**
 * `mlp:64,32`: a perceptron with these hidden layers. `cnn:16,32`: convolutions of 3 × 3 with these
 * channels, each halving height and width, then one dense layer.
 * @returns `undefined` for a text that does not describe a network.
 */
export function networkOf(text: string): NetworkBuilder | undefined {
  const match = /^(mlp|cnn)(?::(\d+(?:,\d+)*))?$/.exec(text);
  if (match === null) return undefined;
  const widths = match[2]?.split(',').map(Number) ?? [];
  if (widths.includes(0)) throw invalidSetting(`"${text}" has a layer without anything in it.`);
  const build = match[1] === 'mlp' ? perceptron(widths) : convolutional(widths);
  const parameters = match[1] === 'mlp' ? parametersOfPerceptron : parametersOfConvolutions;
  return (shape) => {
    assertFitsMemory(text, parameters(widths, shape));
    return build(shape);
  };
}

/**
 * Bytes that a training takes for each parameter at least, of 4 each: the initial model, its bytes
 * in a file, and the parameters and gradients of a step.
 */
const BYTES_PER_PARAMETER = 16;

/** A message of Protocol Buffers, which a model file is, holds less than 2 GiB. */
const MOST_PARAMETERS = (2 ** 31 - 1) / 4;

/**
 * The system ends a process that takes more memory than there is, without a word.
 * @throws SkeinError USAGE.
 */
export function assertFitsMemory(
  text: string,
  parameters: number,
  usable = usableMemoryBytes(),
): void {
  const needed = parameters * BYTES_PER_PARAMETER;
  const many = parameters.toLocaleString('en');
  if (needed > usable) {
    throw invalidSetting(
      `\`model\`: "${text}" has ${many} parameters on these data, which take at least ${formatBytes(needed)} of memory to train, and this machine or container has ${formatBytes(usable)}: name smaller layers.`,
    );
  }
  if (parameters > MOST_PARAMETERS) {
    throw invalidSetting(
      `\`model\`: "${text}" has ${many} parameters on these data, ${formatBytes(4 * parameters)}, and a model file holds less than 2 GiB: name smaller layers.`,
    );
  }
}

function parametersOfPerceptron(
  hidden: readonly number[],
  { inputs, outputs }: NetworkShape,
): number {
  const sizes = [inputs, ...hidden, outputs];
  return sizes.slice(1).reduce((sum, units, i) => sum + (sizes[i]! + 1) * units, 0);
}

/** Without the dense layer at the end, whose size depends on the pooling. */
function parametersOfConvolutions(widths: readonly number[], { row }: NetworkShape): number {
  const sizes = [row.length === 3 ? row[0]! : 1, ...widths];
  return sizes.slice(1).reduce((sum, filters, i) => sum + (sizes[i]! * 9 + 1) * filters, 0);
}

function perceptron(hidden: readonly number[]): NetworkBuilder {
  return ({ inputs, outputs, seed }) => {
    const [first, ...others] = [...hidden, outputs];
    return mlp({ sizes: [inputs, first ?? outputs, ...others], seed });
  };
}

function convolutional(widths: readonly number[]): NetworkBuilder {
  return (shape) => convolutions(widths.length === 0 ? [16, 32] : widths, shape);
}

/** `x` [batch, channels, height, width] → `y` [batch, outputs]. */
function convolutions(widths: readonly number[], { row, outputs, seed }: NetworkShape): Model {
  const shape = row.length === 2 ? [1, ...row] : row;
  if (shape.length !== 3) {
    throw invalidSetting(
      `cnn takes images, [channels, height, width], but a row has the shape [${row.join(', ')}].`,
    );
  }
  let smallest = Math.min(...shape.slice(1));
  const layers = widths.flatMap((filters) => {
    const layer = conv({ filters, kernel: 3, activation: 'relu' });
    // A side of one pixel cannot be halved.
    if (smallest < 2) return [layer];
    smallest = Math.floor(smallest / 2);
    return [layer, maxPool()];
  });
  return sequential({
    input: { shape },
    layers: [...layers, flatten(), dense({ units: outputs })],
    seed,
  });
}
