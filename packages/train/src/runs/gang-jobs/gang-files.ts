/**
 * The files of a training on other machines: those that it names, under paths of a workspace, and
 * the training as it is there.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { unreadable } from '@skein/api/file-errors';
import type { LocalFile } from '@skein/api/files';
import { externalTensors, readModel } from '@skein/onnx';
import { labelsFileOf } from '../sources/data-files.ts';
import { explaining, invalidSetting } from '../failure.ts';
import { resolveOrigin, storedOrigin, type Origin } from '../origin.ts';

export interface GangFiles {
  readonly files: readonly LocalFile[];
  /** A plan whose paths are relative to the workspace. */
  readonly plan: string;
}

/** @throws SkeinError USAGE, FILE_UNREADABLE, TRAINING_MODEL_UNFIT, MODEL_EXTERNAL_DATA. */
export async function gangFilesOf(origin: Origin, name: string): Promise<GangFiles> {
  const { values } = storedOrigin(origin);
  if (values.length > 0) {
    throw invalidSetting(
      `Other machines cannot be given the program's own ${values.join(' and ')}; a configuration file can define it.`,
    );
  }
  const { training, pathOf } = await resolveOrigin(origin);
  const files: LocalFile[] = [];
  const take = async (folder: string, file: string): Promise<string> => {
    const path = `${folder}/${basename(file)}`;
    files.push(...(await filesAt(path, file)));
    return path;
  };
  const takeLabels = (rows: 'data' | 'validation', key: 'labels' | 'validationLabels') => {
    const given = training[key] === undefined ? undefined : pathOf(key);
    const file = labelsFileOf(pathOf(rows), given);
    return file === undefined ? undefined : take(key, file);
  };
  const moved: Record<string, unknown> = { ...origin.flags, name };
  const { model } = training;
  if (typeof model === 'string' && /\.onnx$/i.test(model)) {
    moved['model'] = await take('model', pathOf('model'));
    for (const location of await locationsOf(pathOf('model'), model)) {
      files.push(...(await filesAt(`model/${location}`, join(dirname(pathOf('model')), location))));
    }
  }
  moved['data'] = await take('data', pathOf('data'));
  moved['labels'] = await takeLabels('data', 'labels');
  if (typeof training.validation === 'string') {
    moved['validation'] = await take('validation', pathOf('validation'));
    moved['validationLabels'] = await takeLabels('validation', 'validationLabels');
  }
  const config = origin.config && {
    ...origin.config,
    path: await take('config', origin.config.path),
  };
  const there: Origin = { cwd: '.', flags: moved, config };
  return { files, plan: JSON.stringify(storedOrigin(there)) };
}

/** Files in which a model keeps its weights, relative to its folder. */
async function locationsOf(path: string, given: string): Promise<readonly string[]> {
  const bytes = await readFile(path);
  return explaining(given, () => [
    ...new Set(externalTensors(readModel(bytes)).map(({ location }) => location)),
  ]);
}

/** A file, or all files of a folder. */
async function filesAt(path: string, file: string): Promise<LocalFile[]> {
  const info = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (!info.isDirectory()) return [{ path, file, sizeBytes: info.size }];
  const names = (await readdir(file)).sort();
  return (
    await Promise.all(names.map((name) => filesAt(`${path}/${name}`, join(file, name))))
  ).flat();
}
