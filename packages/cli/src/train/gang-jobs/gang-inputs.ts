/**
 * Inputs of a training on other machines: the files that it names, under paths of a workspace, and
 * the arguments of the command that reads them there.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { unreadable } from '@skein/api/file-errors';
import { externalTensors, readModel } from '@skein/onnx';
import { explaining, labelsFileOf, resolveOrigin, type Origin } from '@skein/train/run';
import { optionName } from '../../command.ts';
import { FLAG_NAMES, type Flags, type TrainingChoice } from '../options.ts';

export interface GangFile {
  /** Path in the workspace, with `/`. */
  readonly path: string;
  /** Absolute path on this machine. */
  readonly file: string;
  readonly sizeBytes: number;
}

export interface GangInputs {
  readonly files: readonly GangFile[];
  /** Arguments and options of `skein train` in the workspace. */
  readonly words: readonly string[];
}

/** @throws SkeinError FILE_UNREADABLE, TRAINING_MODEL_UNFIT, MODEL_EXTERNAL_DATA. */
export async function gangInputsOf(origin: Origin, flags: Flags): Promise<GangInputs> {
  const { config } = origin;
  const { training, pathOf } = await resolveOrigin(origin);
  const files: GangFile[] = [];
  const take = async (folder: string, file: string): Promise<string> => {
    const path = `${folder}/${basename(file)}`;
    files.push(...(await filesAt(path, file)));
    return path;
  };
  const moved: { -readonly [K in keyof Flags]: Flags[K] } = { ...flags };
  const { model, labels, validation, validationLabels } = training;
  if (typeof model === 'string' && isModelFile(model)) {
    moved.model = await take('model', pathOf('model'));
    for (const location of await locationsOf(pathOf('model'), model)) {
      files.push(...(await filesAt(`model/${location}`, join(dirname(pathOf('model')), location))));
    }
  }
  moved.data = await take('data', pathOf('data'));
  const beside = labelsFileOf(pathOf('data'), labels === undefined ? undefined : pathOf('labels'));
  if (beside !== undefined) moved.labels = await take('labels', beside);
  if (typeof validation === 'string') {
    moved.validation = await take('validation', pathOf('validation'));
    const besideValidation = labelsFileOf(
      pathOf('validation'),
      validationLabels === undefined ? undefined : pathOf('validationLabels'),
    );
    if (besideValidation !== undefined) {
      moved.validationLabels = await take('validation-labels', besideValidation);
    }
  }
  const words = wordsOf(moved);
  if (config !== undefined) words.push(`--config=${await take('config', config.path)}`);
  return { files, words };
}

/** Files in which a model keeps its weights, relative to its folder. */
async function locationsOf(path: string, given: string): Promise<readonly string[]> {
  const bytes = await readFile(path);
  return explaining(given, () => [
    ...new Set(externalTensors(readModel(bytes)).map(({ location }) => location)),
  ]);
}

/** A file, or all files of a folder. */
async function filesAt(path: string, file: string): Promise<GangFile[]> {
  const info = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (!info.isDirectory()) return [{ path, file, sizeBytes: info.size }];
  const names = (await readdir(file)).sort();
  return (
    await Promise.all(names.map((name) => filesAt(`${path}/${name}`, join(file, name))))
  ).flat();
}

/** `flagsOf` of these words gives the original flags. */
export function wordsOf(flags: Flags): string[] {
  const words: string[] = [];
  const { model, name, validation } = flags;
  const isFile = model !== undefined && isModelFile(model);
  if (isFile) words.push(model);
  for (const [key, flag] of FLAG_NAMES) {
    const value = flags[flag];
    if (value === undefined || (flag === 'model' && isFile)) continue;
    // A share and a file are two options of one setting.
    if (flag === 'validation' && (key === 'validation') !== (typeof validation === 'number'))
      continue;
    // With `=`, a value that begins with a dash is not read as an option.
    words.push(`--${optionName(key)}=${textOf(key, value)}`);
  }
  if (name !== undefined) words.push(`--name=${name}`);
  return words;
}

export function isModelFile(model: string): boolean {
  return /\.onnx$/i.test(model);
}

function textOf(key: keyof TrainingChoice, value: NonNullable<Flags[keyof Flags]>): string {
  if (typeof value !== 'object') return String(value);
  if (key !== 'imageSize') return (value as readonly string[]).join(',');
  const { width, height, channels } = value as NonNullable<Flags['imageSize']>;
  return `${width}x${height}x${channels}`;
}
