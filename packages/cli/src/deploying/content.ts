/** The content of a deployment: a file of this machine or of another, a module, or the model of a run. */
import { openAsBlob } from 'node:fs';
import { basename, extname } from 'node:path';
import type { Run } from '@skein/api';
import { lineageMetadata, modelOfRun } from '@skein/state/run-versions';
import { isAddress, openSource } from '@skein/state/sources';
import type { Context } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';
import { dataFolder, type ConnectionChoice } from '../connection/connection.ts';
import { givenFile } from '../file.ts';
import { findRun } from '../train/runs.ts';
import { convertedFile, type Conversion } from './foreign-model.ts';
import { openModel } from './model-file.ts';
import { fetchModel } from './remote-model.ts';

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
  readonly allowPrivate: boolean;
  readonly tokenEnv: string | undefined;
}

const MODULE_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs'];
const ROWS_OF_CONVERTED = '--rows is for models that are converted: files of XGBoost and LightGBM.';

/** A module by its path, a model by its bytes, or the model of a run with its lineage. */
export async function contentOf(
  context: Context,
  file: string | undefined,
  options: ContentOptions,
): Promise<Content> {
  const { rows } = options;
  if (rows !== undefined && options.run !== undefined) throw usageError(ROWS_OF_CONVERTED);
  if (options.run !== undefined) {
    if (file !== undefined) throw usageError('FILE and --run exclude each other.');
    const run = await findRun(context, options, options.run);
    const content = new Blob([await modelOfRun(dataFolder(context, options.data), run)]);
    const opened = { content, source: content, metadata: {} };
    return { name: run.name, metadata: lineageMetadata(run), run, fetch: async () => opened };
  }
  if (file === undefined) throw usageError('FILE is missing: an .onnx file, or a .ts module.');
  const sample = rows === undefined ? undefined : (await givenFile(context.cwd, rows)).path;
  if (isAddress(file)) return remoteContent(context, file, sample, options);
  const { path } = await givenFile(context.cwd, file);
  const name = basename(file);
  if (MODULE_EXTENSIONS.includes(extname(file).toLowerCase())) {
    if (rows !== undefined) throw usageError(ROWS_OF_CONVERTED);
    return { name, metadata: {}, modulePath: path };
  }
  const opened = await openFile(path, file, sample);
  return { name, metadata: {}, fetch: async () => opened };
}

async function openFile(path: string, given: string, sample: string | undefined): Promise<Opened> {
  const converted = await convertedFile(path, given, sample);
  if (converted !== undefined) return { ...converted, source: await openAsBlob(path) };
  if (sample !== undefined) throw usageError(ROWS_OF_CONVERTED);
  const content = await openModel(path, given);
  return { content, source: content, metadata: {} };
}

/** A model by its address. */
async function remoteContent(
  context: Context,
  given: string,
  sample: string | undefined,
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
        return { ...(await openFile(path, address, sample)), remove };
      } catch (error) {
        await remove();
        throw error;
      }
    },
  };
}
