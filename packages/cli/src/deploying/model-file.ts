/**
 * A model file as an upload: unchanged, or, when its weights are in separate files, with those
 * weights embedded. It is validated first, so that a broken file is found before a gigabyte is
 * sent.
 */
import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import {
  externalTensors,
  inlineExternalData,
  OnnxError,
  readModel,
  writeModel,
  type Model,
  type OnnxErrorKind,
} from '@skein/onnx';
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
 * @throws SkeinError FILE_UNREADABLE, MODEL_FILE_INVALID, MODEL_UNSUPPORTED, MODEL_EXTERNAL_DATA, MODEL_WEIGHTS_UNFIT.
 */
export async function openModel(path: string, given: string, weights?: WeightsFile): Promise<Blob> {
  const { model, isWhole } = await modelFile(path, given, weights);
  return isWhole ? openAsBlob(path) : new Blob([writeModel(model) as Uint8Array<ArrayBuffer>]);
}

/** The model of a file with all of its weights, and whether they were in the file itself. @throws as `openModel`. */
export async function modelFile(
  path: string,
  given: string,
  weights?: WeightsFile,
): Promise<{ readonly model: Model; readonly isWhole: boolean }> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  try {
    const model = readModel(bytes);
    if (weights !== undefined) await useWeights(model, given, weights);
    const isWhole = weights === undefined && externalTensors(model).length === 0;
    if (!isWhole) {
      await inlineExternalData(model, (location) => readFile(join(dirname(path), location)));
    }
    return { model, isWhole };
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw new SkeinError(codeOf(error), `"${given}": ${error.message}`, { cause: error });
  }
}
