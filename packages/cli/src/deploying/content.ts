/** The content of a deployment: a file of this machine or of another, a module, or the model of a run. */
import { basename, extname } from 'node:path';
import type { Run } from '@skein/api';
import { fileBlob } from '@skein/api/file-blob';
import { lineageMetadata, modelOfRun } from '@skein/state/run-versions';
import { isAddress, openSource, requireTokenUse } from '@skein/state/sources';
import type { Context } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';
import { dataFolder, type ConnectionChoice } from '../connection/connection.ts';
import { givenFile } from '../file.ts';
import { findRun } from '../train/runs.ts';
import type { Conversion } from './comparison.ts';
import { convertedFile } from './foreign-model.ts';
import { openModel } from './model-file.ts';
import { fetchModel } from './remote-model.ts';
import { givenInputs, type GivenInput } from './sandboxed/given-inputs.ts';
import { convertedTorch, torchFormatAt } from './sandboxed/torch-conversion.ts';
import type { WeightsFile } from './weights-file.ts';

/** A model that can be uploaded. */
export interface Opened {
  readonly content: Blob;
  /** The file before its conversion, with all weights in it. */
  readonly source: Blob;
  readonly metadata: Readonly<Record<string, string>>;
  readonly conversion?: Conversion;
  /** Removes the files of a download. */
  readonly remove?: () => Promise<void>;
}

export type Content = {
  /** Default name of the deployment. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly run?: Run;
} & (
  | { readonly modulePath: string }
  | {
      /** A file of another machine is downloaded after the node has agreed to the deployment. */
      readonly isRemote?: boolean;
      readonly fetch: () => Promise<Opened>;
    }
);

export interface ContentOptions extends ConnectionChoice {
  readonly run: string | undefined;
  readonly rows: string | undefined;
  readonly input: readonly string[];
  readonly weights: string | undefined;
  readonly allowPrivate: boolean;
  readonly tokenEnv: string | undefined;
}

const MODULE_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs'];
/** Options for files of one kind. */
interface Help {
  /** The file of `--rows`. */
  readonly sample: string | undefined;
  readonly input: readonly GivenInput[];
  readonly weights: WeightsFile | undefined;
}

const MISPLACED: Readonly<Record<keyof Help, string>> = {
  sample: '--rows is for models that are converted: files of XGBoost, LightGBM and scikit-learn.',
  input: '--input is for archives of PyTorch: other models hold the shapes of their inputs.',
  weights: '--weights is for .onnx files: other models hold their weights.',
};

/** @param fits the option for this kind of file. @throws SkeinError USAGE for another one. */
function requireFits(help: Help, fits?: keyof Help): void {
  const given: Readonly<Record<keyof Help, boolean>> = {
    sample: help.sample !== undefined,
    input: help.input.length > 0,
    weights: help.weights !== undefined,
  };
  for (const each of Object.keys(MISPLACED) as (keyof Help)[]) {
    if (given[each] && each !== fits) throw usageError(MISPLACED[each]);
  }
}

/** A module by its path, a model by its bytes, or the model of a run with its lineage. */
export async function contentOf(
  context: Context,
  file: string | undefined,
  options: ContentOptions,
): Promise<Content> {
  requireTokenUse(options.tokenEnv, file === undefined ? [] : [file]);
  const help = await helpOf(context, options);
  if (options.run !== undefined) {
    requireFits(help);
    if (file !== undefined) throw usageError('FILE and --run exclude each other.');
    const run = await findRun(context, options, options.run);
    const content = new Blob([await modelOfRun(dataFolder(context, options.data), run)]);
    const opened = { content, source: content, metadata: {} };
    return { name: run.name, metadata: lineageMetadata(run), run, fetch: async () => opened };
  }
  if (file === undefined) throw usageError('FILE is missing: an .onnx file, or a .ts module.');
  if (isAddress(file)) return remoteContent(context, file, help, options);
  const { path } = await givenFile(context.cwd, file);
  const name = basename(file);
  if (MODULE_EXTENSIONS.includes(extname(file).toLowerCase())) {
    requireFits(help);
    return { name, metadata: {}, modulePath: path };
  }
  const opened = await openFile(context, path, file, help);
  return { name, metadata: {}, fetch: async () => opened };
}

async function helpOf(
  { cwd }: Context,
  { rows, input, weights }: Pick<ContentOptions, 'rows' | 'input' | 'weights'>,
): Promise<Help> {
  const pathOf = async (given: string): Promise<string> => (await givenFile(cwd, given)).path;
  return {
    sample: rows === undefined ? undefined : await pathOf(rows),
    input: givenInputs(input),
    weights: weights === undefined ? undefined : { path: await pathOf(weights), given: weights },
  };
}

async function openFile(
  context: Context,
  path: string,
  given: string,
  help: Help,
): Promise<Opened> {
  const converted = await convertedFile(context, path, given, help.sample);
  if (converted !== undefined) {
    requireFits(help, 'sample');
    return { ...converted, source: await fileBlob(path) };
  }
  const format = torchFormatAt(path, given);
  if (format !== undefined) {
    requireFits(help, 'input');
    const ofTorch = await convertedTorch(context, path, given, format, help.input);
    return { ...ofTorch, source: await fileBlob(path) };
  }
  requireFits(help, 'weights');
  const content = await openModel(path, given, help.weights);
  return { content, source: content, metadata: {} };
}

/** A model by its address. */
async function remoteContent(
  context: Context,
  given: string,
  help: Help,
  options: ContentOptions,
): Promise<Content> {
  const { env, signal } = context;
  const { allowPrivate, tokenEnv } = options;
  const source = await openSource(given, { env, signal, allowPrivate, tokenEnv });
  const { name, revision, address } = source;
  if ([...MODULE_EXTENSIONS, '.gguf'].includes(extname(source.fileName).toLowerCase())) {
    throw usageError(
      `"${address}" is not an ONNX model: compositions and .gguf files are deployed from a file.`,
    );
  }
  return {
    name,
    metadata: {
      sourceAddress: address,
      ...(revision === undefined ? {} : { sourceRevision: revision }),
    },
    isRemote: true,
    async fetch() {
      const { path, remove } = await fetchModel(context, source, dataFolder(context, options.data));
      try {
        return {
          ...(await openFile(context, path, address, help)),
          remove,
        };
      } catch (error) {
        await remove();
        throw error;
      }
    },
  };
}
