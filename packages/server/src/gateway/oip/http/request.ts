/**
 * Decodes the body of `POST …/infer`: the Open Inference Protocol's JSON, Triton's binary tensors
 * behind it, or a mix of both. Binary tensors are views on the body; JSON numbers are parsed once,
 * directly into their type.
 */
import { SkeinError } from '@skein/api';
import type { Tensor } from '@skein/onnx';
import { openEnvelope, type Envelope, type InputEnvelope, type Opened } from './envelope.ts';
import { carve, parseCarved, type CarvedArray } from './json-carve.ts';
import { readNumbers } from './json-numbers.ts';
import { readStrings } from './json-strings.ts';
import type { SharedInput } from '../shared-memory/shared-tensors.ts';
import { tensorFromBytes } from '../tensors/tensor-bytes.ts';
import { invalidData } from '../../brief.ts';

export type { BinaryChoice } from './envelope.ts';

/** A decoded request, before it has a caller and a deadline. */
export interface DecodedRequest extends Omit<Envelope, 'inputs'> {
  readonly inputs: Map<string, Tensor>;
  /** Inputs that are not among them yet; absent: none. */
  readonly shared?: readonly SharedInput[];
}

/**
 * @param jsonLength bytes of JSON at the start of the body; absent when all of it is JSON.
 * @throws SkeinError BODY_NOT_JSON, REQUEST_INVALID, HEADER_LENGTH_INVALID, INPUT_DATATYPE,
 *   INPUT_SHAPE, INPUT_DATA.
 */
export function decodeInferRequest(body: Buffer, jsonLength: number | undefined): DecodedRequest {
  return decodeOpened(openEnvelope(body, jsonLength), body, jsonLength);
}

/** `decodeInferRequest` for a decoded envelope. */
export function decodeOpened(
  opened: Opened,
  body: Buffer,
  jsonLength: number | undefined,
): DecodedRequest {
  const { inputs: _inputs, ...asked } = opened.envelope;
  const shared: SharedInput[] = [];
  const inputs = readTensors(opened, body, jsonLength, shared);
  const request = { ...asked, inputs };
  return shared.length === 0 ? request : { ...request, shared };
}

function readTensors(
  { envelope, arrays }: Opened,
  body: Buffer,
  jsonLength: number | undefined,
  shared: SharedInput[],
): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  let binaryAt = jsonLength ?? body.length;
  let arraysRead = 0;

  for (const input of envelope.inputs) {
    const { name, type, shape, data } = input;
    if ('slice' in data) {
      shared.push({ name, type, shape, slice: data.slice });
      continue;
    }
    if ('array' in data) {
      tensors.set(name, readArray(input, arrays[data.array]!, body));
      arraysRead++;
      continue;
    }
    if (jsonLength === undefined) {
      throw new SkeinError(
        'HEADER_LENGTH_INVALID',
        `Input "${name}" is binary, but the header Inference-Header-Content-Length is missing.`,
      );
    }
    const end = binaryAt + data.bytes;
    if (end > body.length) {
      throw invalidData(
        `Input "${name}" claims ${data.bytes} bytes of binary data, but ${body.length - binaryAt} are left in the body.`,
      );
    }
    tensors.set(name, tensorFromBytes(type, shape, body.subarray(binaryAt, end), name));
    binaryAt = end;
  }

  if (jsonLength !== undefined && binaryAt !== body.length) {
    throw invalidData(
      `${body.length - binaryAt} bytes at the end of the body belong to no input; check binary_data_size and Inference-Header-Content-Length.`,
    );
  }
  // An array that no input uses has not been parsed; the body must still be JSON.
  if (arraysRead !== arrays.length) {
    for (const { start, end } of arrays) {
      const unused = body.subarray(start, end);
      parseCarved(carve(unused, unused.length), unused, unused.length);
    }
  }
  return tensors;
}

function readArray({ name, type, shape }: InputEnvelope, array: CarvedArray, body: Buffer): Tensor {
  if (type === 'string') {
    return { type, shape, elements: readStrings(body, array, shape, name) };
  }
  return readNumbers(body, array.start, array.end, type, shape, name);
}
