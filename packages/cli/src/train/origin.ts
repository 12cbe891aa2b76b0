/**
 * Origin of a run's settings: flags, and a configuration file that the flags override. Stored in
 * the run's folder, so that the run is resumed with exactly these.
 */
import { copyFile, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SkeinError } from '@skein/api/errors';
import type { Training } from '@skein/train';
import { unreadable } from '../file.ts';
import { usageError } from '../usage.ts';
import { digestOfBytes } from './digest.ts';

/** Settings that flags can express: everything except functions. */
export interface Flags extends Omit<Partial<Training>, 'model' | 'optimiser' | 'loss' | 'freeze'> {
  readonly model?: string;
  readonly optimiser?: Training['optimiser'] & string;
  readonly loss?: Training['loss'] & string;
  /** A regular expression. */
  readonly freeze?: string;
}

export interface Origin {
  /** The folder that paths in flags are relative to. */
  readonly cwd: string;
  readonly flags: Flags;
  readonly config?: { readonly path: string; readonly digest: string };
}

export interface ResolvedTraining {
  readonly training: Training;
  /** Makes a path of the training absolute. */
  readonly pathOf: (key: PathKey) => string;
}

type PathKey = 'model' | 'data' | 'labels' | 'validation' | 'validationLabels';

export async function originOf(
  cwd: string,
  flags: Flags,
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

/** @throws SkeinError RUN_CHANGED, USAGE, FILE_UNREADABLE. */
export async function resolveOrigin({ cwd, flags, config }: Origin): Promise<ResolvedTraining> {
  const configured = config === undefined ? undefined : await loadConfig(config);
  const { freeze, ...plain } = flags;
  const given = Object.fromEntries(Object.entries(plain).filter(([, each]) => each !== undefined));
  const merged: Partial<Training> = {
    ...configured,
    ...(given as Partial<Training>),
    ...(freeze === undefined ? {} : { freeze: patternOf(freeze) }),
  };
  const { model, data } = merged;
  if (model === undefined) {
    throw usageError('A model is missing: an .onnx file, or --model mlp:64,32 to build one.');
  }
  if (data === undefined) throw usageError('--data FILE is missing.');
  const training: Training = { ...merged, model, data };
  return {
    training,
    pathOf(key) {
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
  throw usageError(`${path} exports no "training": export const training = defineTraining({ … }).`);
}

/** Resolves imports of Skein in a configuration also where no package is installed. */
async function importConfig(path: string): Promise<{ readonly training?: unknown }> {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!specifier.startsWith('@skein/')) throw error;
        return next(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
  try {
    if (extname(await realpath(path)) === extname(path)) {
      return (await import(pathToFileURL(path).href)) as object;
    }
    // Inputs of a job are links to files named by their digests, whose names lack the ending of
    // TypeScript.
    const folder = await mkdtemp(join(tmpdir(), 'skein-config-'));
    try {
      await copyFile(path, join(folder, basename(path)));
      return (await import(pathToFileURL(join(folder, basename(path))).href)) as object;
    } finally {
      await rm(folder, { recursive: true });
    }
  } finally {
    hooks.deregister();
  }
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw usageError(`--freeze: "${text}" is not a regular expression.`);
  }
}
