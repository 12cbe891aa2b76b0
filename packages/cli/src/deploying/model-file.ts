/**
 * A model file as an upload: unchanged, or, when it keeps weights in separate files, with those
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
  type OnnxErrorKind,
} from '@skein/onnx';
import { unreadable } from '@skein/api/file-errors';

const CODES: Readonly<Record<OnnxErrorKind, ErrorCode>> = {
  invalid: 'MODEL_FILE_INVALID',
  unsupported: 'MODEL_UNSUPPORTED',
  'external-data': 'MODEL_EXTERNAL_DATA',
};

/**
 * @param given the path as the person wrote it, for messages.
 * @throws SkeinError FILE_UNREADABLE, MODEL_FILE_INVALID, MODEL_UNSUPPORTED, MODEL_EXTERNAL_DATA.
 */
export async function openModel(path: string, given: string): Promise<Blob> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  try {
    const model = readModel(bytes);
    if (externalTensors(model).length === 0) return await openAsBlob(path);
    await inlineExternalData(model, (location) => readFile(join(dirname(path), location)));
    return new Blob([writeModel(model) as Uint8Array<ArrayBuffer>]);
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw new SkeinError(CODES[error.kind], `"${given}": ${error.message}`, { cause: error });
  }
}
