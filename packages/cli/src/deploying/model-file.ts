/**
 * A model file as an upload: unchanged, or, when its weights are in separate files, with those
 * weights embedded or, above 2 GiB, behind it. It is validated first, so that a broken file is found before a gigabyte is
 * sent.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import {
  externalTensors,
  inlineExternalData,
  LARGEST_FILE,
  OnnxError,
  packModel,
  readModel,
  writeModel,
  type Model,
  type OnnxErrorKind,
} from '@skein/onnx';
import { fileBlob, joinedBlob, type FileBlob } from '@skein/api/file-blob';
import { unreadable } from '@skein/api/file-errors';
import { useWeights, type WeightsFile } from './weights-file.ts';

const CODES: Readonly<Record<OnnxErrorKind, ErrorCode>> = {
  invalid: 'MODEL_FILE_INVALID',
  unsupported: 'MODEL_UNSUPPORTED',
  'external-data': 'MODEL_EXTERNAL_DATA',
};

export const codeOf = ({ kind }: OnnxError): ErrorCode => CODES[kind];

/**
 * @param given the path as the person wrote it, for messages. @param weights the file of --weights.
 * @param largest bytes of weights in other files up to which they are embedded; above, they lie behind the graph.
 * @throws SkeinError FILE_UNREADABLE, MODEL_FILE_INVALID, MODEL_UNSUPPORTED, MODEL_EXTERNAL_DATA, MODEL_WEIGHTS_UNFIT.
 */
export async function openModel(
  path: string,
  given: string,
  weights?: WeightsFile,
  largest = LARGEST_FILE,
): Promise<Blob> {
  const model = await parsedFile(path, given);
  if (weights === undefined && (await explained(given, async () => weightBytes(model))) > largest) {
    return explained(given, () => packed(model, dirname(path)));
  }
  const { isWhole } = await withAllWeights(model, path, given, weights);
  return isWhole ? fileBlob(path) : new Blob([writeModel(model) as Uint8Array<ArrayBuffer>]);
}

const weightBytes = (model: Model): number =>
  externalTensors(model).reduce((sum, { length }) => sum + length, 0);

/** A model above 2 GiB: its graph, and parts of the files of weights, which are read as they are sent. */
async function packed(model: Model, folder: string): Promise<Blob> {
  const { head, stretches } = packModel(model);
  const files = new Map<string, FileBlob>();
  const parts: (FileBlob | Uint8Array<ArrayBuffer>)[] = [head as Uint8Array<ArrayBuffer>];
  for (const { location, offset, length, padding } of stretches) {
    const file = files.get(location) ?? (await fileBlob(join(folder, location)).catch(missing));
    files.set(location, file);
    if (offset + length > file.size) {
      throw new OnnxError(
        'external-data',
        `The file '${location}' has ${file.size} bytes, but weights lie at ${offset} to ${offset + length}.`,
      );
    }
    parts.push(file.slice(offset, offset + length), new Uint8Array(padding));
  }
  return joinedBlob(parts);
}

function missing(cause: Error): never {
  const reason = `A file of weights cannot be read: ${cause.message}`;
  throw new OnnxError('external-data', reason, { cause });
}

/** The model of a file with all of its weights, and whether they were in the file itself. @throws as `openModel`. */
export async function modelFile(
  path: string,
  given: string,
  weights?: WeightsFile,
): Promise<{ readonly model: Model; readonly isWhole: boolean }> {
  return withAllWeights(await parsedFile(path, given), path, given, weights);
}

async function withAllWeights(
  model: Model,
  path: string,
  given: string,
  weights: WeightsFile | undefined,
): Promise<{ readonly model: Model; readonly isWhole: boolean }> {
  return explained(given, async () => {
    if (weights !== undefined) await useWeights(model, given, weights);
    const isWhole = weights === undefined && externalTensors(model).length === 0;
    if (!isWhole) {
      await inlineExternalData(model, (location) => readFile(join(dirname(path), location)));
    }
    return { model, isWhole };
  });
}

async function parsedFile(path: string, given: string): Promise<Model> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  return explained(given, async () => readModel(bytes));
}

async function explained<T>(given: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw new SkeinError(codeOf(error), `"${given}": ${error.message}`, { cause: error });
  }
}
