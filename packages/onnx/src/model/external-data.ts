/**
 * Weights that a model keeps in other files (onnx.proto, `TensorProto.external_data`). A model
 * is untrusted, so a location may name only a file in or below the model's own folder.
 */
import { TensorProto_DataLocation as Location, type TensorProto } from 'onnx-buf';
import { countOf, rawByteLength } from '../tensor/element-type.ts';
import type { Model } from './model.ts';
import { OnnxError, unsupportedModel } from '../onnx-error.ts';
import { storedTensors } from './tensor-protos.ts';

export interface ExternalTensor {
  /** Where the tensor is in the model, for messages. */
  readonly place: string;
  /** File, relative to the model's folder, with forward slashes. */
  readonly location: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes that the tensor takes. */
  readonly length: number;
}

/** One message of protocol buffers holds at most 2 GiB. */
export const LARGEST_FILE = 2 ** 31 - 1;

/**
 * The external tensors of the model, in the model's order.
 * @throws OnnxError `external-data` for a location outside the model's folder or a malformed entry.
 */
export function externalTensors(model: Model): readonly ExternalTensor[] {
  return externals(model).map(({ external }) => external);
}

/**
 * Moves all external data into the model, in place.
 *
 * @param readFile returns the whole content of a file relative to the model's folder; called once
 *   per file.
 * @throws OnnxError `external-data` when a file is missing, too short or outside the folder,
 *   `unsupported` when the model would be too large for one file.
 */
export async function inlineExternalData(
  model: Model,
  readFile: (location: string) => Promise<Uint8Array>,
): Promise<void> {
  const found = externals(model);
  const total = found.reduce((sum, { external }) => sum + external.length, 0);
  if (total > LARGEST_FILE) {
    throw unsupportedModel(
      `The model keeps ${total} bytes in other files, more than one ONNX file can hold (${LARGEST_FILE}): such a model can be deployed and served alone.`,
    );
  }
  const files = new Map<string, Uint8Array>();
  for (const { tensor, external } of found) {
    const { place, location, offset, length } = external;
    let file = files.get(location);
    if (file === undefined) {
      file = await readFile(location).catch((cause: unknown) => {
        throw new OnnxError(
          'external-data',
          `The file '${location}' that holds ${place} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        );
      });
      files.set(location, file);
    }
    if (offset + length > file.byteLength) {
      throw new OnnxError(
        'external-data',
        `The file '${location}' has ${file.byteLength} bytes, but ${place} lies at ${offset} to ${offset + length}.`,
      );
    }
    tensor.rawData = file.slice(offset, offset + length);
    tensor.externalData = [];
    tensor.dataLocation = Location.DEFAULT;
  }
}

/** @throws as `externalTensors`. */
export function externals(model: Model): { tensor: TensorProto; external: ExternalTensor }[] {
  const result = [];
  for (const { tensor, place } of storedTensors(model)) {
    if (tensor.dataLocation !== Location.EXTERNAL) continue;
    result.push({ tensor, external: externalOf(tensor, place) });
  }
  return result;
}

function externalOf(tensor: TensorProto, place: string): ExternalTensor {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const size = rawByteLength(tensor.dataType, countOf(tensor.dims));
  if (size === undefined) {
    throw new OnnxError('external-data', `The data of ${place} cannot lie in another file.`);
  }
  const length = numberOf(entries.get('length'), size, 'length', place);
  if (length !== size) {
    throw new OnnxError(
      'external-data',
      `The data of ${place} take ${size} bytes, but the model declares ${length} in another file.`,
    );
  }
  return {
    place,
    location: safeLocation(entries.get('location') ?? '', place),
    offset: numberOf(entries.get('offset'), 0, 'offset', place),
    length,
  };
}

function numberOf(text: string | undefined, absent: number, key: string, place: string): number {
  if (text === undefined) return absent;
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new OnnxError(
    'external-data',
    `The ${key} '${text}' of ${place} is not a number of bytes.`,
  );
}

function safeLocation(location: string, place: string): string {
  const segments = location.replaceAll('\\', '/').split('/');
  const inside =
    location !== '' &&
    !location.includes('\0') &&
    segments[0] !== '' &&
    !/^[a-z]:/i.test(location) &&
    !segments.includes('..');
  if (inside) return segments.filter((segment) => segment !== '.' && segment !== '').join('/');
  throw new OnnxError(
    'external-data',
    `The file '${location}' of ${place} is outside the model's folder; put it next to the model and name it by its file name.`,
  );
}
