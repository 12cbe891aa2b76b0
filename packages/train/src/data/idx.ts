/**
 * IDX, the format of the MNIST family: a magic number with element type and rank, the sizes, then
 * the elements in big-endian order. Files may be gzip.
 *
 * Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", file format.
 */
import { elementCount, elementSize, type NumericTensor, type NumericType } from '@skein/onnx';
import { TrainError } from '../train-error.ts';
import { bytesOf, type ByteSource } from './bytes.ts';

const TYPES: Readonly<Record<number, NumericType>> = {
  0x08: 'uint8',
  0x09: 'int8',
  0x0b: 'int16',
  0x0c: 'int32',
  0x0d: 'float32',
  0x0e: 'float64',
};

/** @throws TrainError `data` when the file is something else, or has more or fewer elements than its sizes say. */
export async function readIdx(source: ByteSource): Promise<NumericTensor> {
  const bytes = await bytesOf(source);
  const type = TYPES[bytes[2] ?? 0];
  const rank = bytes[3] ?? 0;
  const start = 4 + 4 * rank;
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined || bytes.byteLength < start) {
    throw new TrainError('data', 'The file is not in the IDX format, or is cut off in its header.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = elementSize(type);
  const expected = elementCount(shape) * size;
  const elements = bytes.subarray(start);
  if (elements.byteLength !== expected) {
    throw new TrainError(
      'data',
      `The IDX file has the shape [${shape.join(', ')}] and type ${type}, which take ${expected} bytes, but holds ${elements.byteLength}.`,
    );
  }
  if (size === 1) return { type, shape, bytes: elements };
  const little = elements.slice();
  for (let at = 0; at < little.byteLength; at += size) little.subarray(at, at + size).reverse();
  return { type, shape, bytes: little };
}
