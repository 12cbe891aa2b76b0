/**
 * Origin of a run's settings: those given by a program or a command line, and a configuration file
 * that they override. Stored in the run's folder, so that the run is resumed with exactly these.
 */
import { copyFile, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { DataVersionName } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import { importUserModule } from '@skein/api/user-modules';
import type { Model } from '@skein/onnx';
import type { RunFolder } from '@skein/state/runs';
import { fileStore } from '../checkpoint/file-store.ts';
import type { Training } from '../task/define-training.ts';
import { invalidSetting } from './failure.ts';
import { digestOfBytes } from './lineage.ts';

/** Settings; a configuration may add the model and the data; `freeze` may be a text. */
export type GivenSettings = Omit<Partial<Training>, 'freeze'> & {
  readonly freeze?: RegExp | string;
};

export interface Origin {
  /** The folder that paths in flags are relative to. */
  readonly cwd: string;
  readonly flags: GivenSettings;
  readonly config?: { readonly path: string; readonly digest: string } | undefined;
  /** Versions of data sets that flags name, as files of this machine. */
  readonly versions?: Readonly<Partial<Record<RowsKey, PlacedVersion>>> | undefined;
}

type RowsKey = 'data' | 'validation';

export interface PlacedVersion {
  /** Absolute path of its rows. */
  readonly path: string;
  readonly version: DataVersionName;
}

/** An origin as a file keeps it. */
interface StoredOrigin extends Origin {
  /** Settings that only the program has: a model, an optimiser, a pattern with flags. */
  readonly values: readonly string[];
}

const TEXTS: ReadonlySet<string> = new Set(['model', 'optimiser', 'freeze']);

/** An origin as it is stored; values that only a program has are missing from it, and named. */
export function storedOrigin({ flags, ...place }: Origin): StoredOrigin {
  const kept: Record<string, unknown> = {};
  const values: string[] = [];
  for (const [key, given] of Object.entries(flags)) {
    const value = given instanceof RegExp && given.flags === '' ? given.source : given;
    if (TEXTS.has(key) && value !== undefined && typeof value !== 'string') values.push(key);
    else kept[key] = value;
  }
  return { ...place, flags: kept, values };
}

/** Writes `plan.json` of a run. */
export async function saveOrigin(folder: RunFolder, origin: Origin): Promise<void> {
  const text = JSON.stringify(storedOrigin(origin));
  await fileStore(folder.file('plan.json')).save(new TextEncoder().encode(text));
}

/**
 * The origin in a `plan.json`.
 * @throws SkeinError USAGE when a part of the settings is known to the program alone.
 */
export function keptOrigin(id: string, plan: string): Origin {
  const { values = [], ...origin } = readJson(plan, JSON_BOUNDS.stored) as Partial<StoredOrigin> &
    Origin;
  const lost = values.filter((each) => each !== 'model');
  if (lost.length === 0) return origin;
  throw invalidSetting(
    `Run ${id} was started by a program with its own ${lost.join(' and ')}, so only a program that gives its training again can resume it.`,
  );
}

/** Paths of a training are relative to the working folder. @throws SkeinError USAGE. */
export function toOrigin(given: Training | Origin): Origin {
  if (Object(given) !== given) throw invalidSetting('A training is an object of settings.');
  return 'flags' in given ? given : { cwd: process.cwd(), flags: given };
}

export interface ResolvedTraining {
  readonly training: Training;
  /** Makes a path of the training absolute. */
  readonly pathOf: (key: PathKey) => string;
  /** The version of a data set that was given as these rows. */
  readonly versionOf: (key: RowsKey) => DataVersionName | undefined;
}

type PathKey = 'model' | 'data' | 'labels' | 'validation' | 'validationLabels';

export async function originOf(
  cwd: string,
  flags: GivenSettings,
  config: string | undefined,
): Promise<Origin> {
  if (config === undefined) return { cwd, flags };
  const path = resolve(cwd, config);
  return { cwd, flags, config: { path, digest: await digestOfConfig(path) } };
}

async function digestOfConfig(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  return digestOfBytes(bytes);
}

/**
 * @param start the model that a resumed run began with.
 * @throws SkeinError RUN_CHANGED, USAGE, FILE_UNREADABLE.
 */
export async function resolveOrigin(
  { cwd, flags, config, versions = {} }: Origin,
  start?: Model,
): Promise<ResolvedTraining> {
  const configured = config === undefined ? undefined : await loadConfig(config);
  const { freeze, ...plain } = flags;
  const given = Object.fromEntries(Object.entries(plain).filter(([, each]) => each !== undefined));
  const merged: Partial<Training> = {
    ...configured,
    ...(given as Partial<Training>),
    ...(freeze === undefined
      ? {}
      : { freeze: typeof freeze === 'string' ? patternOf(freeze) : freeze }),
  };
  const { model = start, data } = merged;
  if (model === undefined) {
    throw invalidSetting('A model is missing: an .onnx file, or `model` mlp:64,32 to build one.');
  }
  if (data === undefined) throw invalidSetting('`data` is missing: the file of rows to train on.');
  const training: Training = { ...merged, model, data };
  return {
    training,
    versionOf: (key) => versions[key]?.version,
    pathOf(key) {
      const placed = key === 'data' || key === 'validation' ? versions[key] : undefined;
      if (placed !== undefined) return placed.path;
      const base = key in given || config === undefined ? cwd : dirname(config.path);
      const path = training[key];
      return resolve(base, typeof path === 'string' ? path : '');
    },
  };
}

async function loadConfig({ path, digest }: NonNullable<Origin['config']>): Promise<Training> {
  if ((await digestOfConfig(path)) !== digest) {
    throw new SkeinError('RUN_CHANGED', `${path} has changed since the run was started.`);
  }
  let module: { readonly training?: unknown };
  try {
    module = await importConfig(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SkeinError('USAGE', `${path} cannot be loaded: ${reason}`, { cause: error });
  }
  const { training } = module;
  if (typeof training === 'object' && training !== null) return training as Training;
  throw invalidSetting(
    `${path} exports no "training": export const training = defineTraining({ … }).`,
  );
}

async function importConfig(path: string): Promise<{ readonly training?: unknown }> {
  if (extname(await realpath(path)) === extname(path)) {
    return importUserModule(path, import.meta.url);
  }
  // Inputs of a job are links to files named by their digests, whose names lack the ending of
  // TypeScript.
  const folder = await mkdtemp(join(tmpdir(), 'skein-config-'));
  try {
    await copyFile(path, join(folder, basename(path)));
    return await importUserModule(join(folder, basename(path)), import.meta.url);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw invalidSetting(`\`freeze\`: "${text}" is not a regular expression.`);
  }
}
