/** Where the tensors of a model lie in its file, for code that compares two files. */
import { TensorProto_DataLocation as Location, TensorProto_DataType as DataType } from 'onnx-buf';
import { readModel } from './model.ts';
import { storedTensors } from './tensor-protos.ts';

export interface TensorPlace {
  /** The same in a later version of the model: `initialiser 'w'`. */
  readonly place: string;
  /** Lower case, such as `float32`; also types that Skein does not compute with, such as `int4`. */
  readonly type: string;
  /** The first byte of the numbers, from the start of the file. */
  readonly at: number;
  /** In bytes. */
  readonly length: number;
}

/**
 * Tensors that are not stored as raw bytes in the file are left out.
 * @throws OnnxError as `readModel`.
 */
export function tensorPlaces(file: Uint8Array): readonly TensorPlace[] {
  const places: TensorPlace[] = [];
  for (const { tensor, place } of storedTensors(readModel(file))) {
    const { rawData, dataLocation, dataType } = tensor;
    const isInFile = rawData.buffer === file.buffer && dataLocation !== Location.EXTERNAL;
    const name = DataType[dataType];
    if (rawData.byteLength === 0 || !isInFile || name === undefined) continue;
    places.push({
      place,
      type: name === 'FLOAT' ? 'float32' : name.toLowerCase(),
      at: rawData.byteOffset - file.byteOffset,
      length: rawData.byteLength,
    });
  }
  return places;
}
