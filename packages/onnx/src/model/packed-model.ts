/** Models above 2 GiB: written from a graph with files of weights, and read without the weights. */
import { create } from '@bufbuild/protobuf';
import {
  StringStringEntryProtoSchema,
  TensorProto_DataLocation as Location,
  type TensorProto,
} from 'onnx-buf';
import { invalidModel, OnnxError } from '../onnx-error.ts';
import { externals } from './external-data.ts';
import { readModel, writeModel, type Model } from './model.ts';
import { LARGEST_GRAPH, OWN_NAME, pagesOf, prefixOf, PREFIX_BYTES } from './packed-form.ts';

/** A part of a file of weights, and the zeros after it. */
export interface Stretch {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
  readonly padding: number;
}

export interface PackedModel {
  readonly head: Uint8Array;
  /** In order, behind the head. */
  readonly stretches: readonly Stretch[];
}

/**
 * The one file of a model with its weights. Changes the model.
 * @throws OnnxError `external-data`, `invalid` for a graph that is too large without them.
 */
export function packModel(model: Model): PackedModel {
  const found = externals(model);
  // Offsets have one width, so that the length of the message does not depend on them.
  for (const { tensor, external } of found) setPlace(tensor, 0, external.length);
  const length = writeModel(model).byteLength;
  if (length > LARGEST_GRAPH) throw tooLarge(length);
  const head = new Uint8Array(pagesOf(PREFIX_BYTES + length));
  const stretches: Stretch[] = [];
  // Tensors can share their weights.
  const places = new Map<string, number>();
  let end = head.byteLength;
  for (const { tensor, external } of found) {
    const { location, offset, length: bytes } = external;
    const key = `${offset} ${bytes} ${location}`;
    const place = places.get(key) ?? end;
    if (place === end) {
      places.set(key, place);
      stretches.push({ location, offset, length: bytes, padding: pagesOf(bytes) - bytes });
      end += pagesOf(bytes);
    }
    setPlace(tensor, place, bytes);
  }
  head.set(prefixOf(length));
  head.set(writeModel(model), PREFIX_BYTES);
  return { head, stretches };
}

/**
 * The graph of a packed file. Its weights stay in the file.
 *
 * @param message the bytes of its ModelProto.
 * @throws OnnxError `invalid`, `unsupported`; `external-data` for weights outside the file.
 */
export function readPacked(message: Uint8Array, sizeBytes: number): Model {
  if (message.byteLength > LARGEST_GRAPH) throw tooLarge(message.byteLength);
  const model = readModel(message);
  const start = pagesOf(PREFIX_BYTES + message.byteLength);
  for (const { external } of externals(model)) {
    const { place, location, offset, length } = external;
    if (location !== OWN_NAME || offset < start || offset + length > sizeBytes) {
      throw new OnnxError('external-data', `The weights of ${place} lie outside the file.`);
    }
  }
  return model;
}

const tooLarge = (bytes: number): OnnxError =>
  invalidModel(`The graph has ${bytes} bytes without its weights; at most ${LARGEST_GRAPH}.`);

/** Digits of the offset of a tensor. */
const DIGITS = 16;

function setPlace(tensor: TensorProto, offset: number, length: number): void {
  tensor.dataLocation = Location.EXTERNAL;
  const entries = {
    location: OWN_NAME,
    offset: String(offset).padStart(DIGITS, '0'),
    length: String(length),
  };
  tensor.externalData = Object.entries(entries).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
}
