/**
 * The messages between a session and its worker. Numeric tensors are sent as they are; the strings
 * of a string tensor are sent as one buffer, because structured clone copies the whole ArrayBuffer
 * behind every view: a hundred words cut out of a 60 MB body would be sent as 6 GB.
 *
 * Inputs and outputs go by their position in the signature, so a run sends no names.
 */
import type { NumericTensor, Signature, Tensor } from '@skein/onnx';
import type { RowLayout } from './shared-rows.ts';
import type { Device } from './devices.ts';

interface PackedStrings {
  readonly type: 'string';
  readonly shape: readonly number[];
  /** Bytes of each element; they lie one after the other in `bytes`. */
  readonly lengths: Uint32Array;
  readonly bytes: Uint8Array;
}

export type WireTensor = NumericTensor | PackedStrings;

export interface LoadRequest {
  readonly model: { readonly path: string } | { readonly bytes: Uint8Array };
  readonly device: Device;
  readonly threads: number;
  /** Bound of the worker's memory, in bytes, which its process has been given; absent: none. */
  readonly maxMemoryBytes: number | undefined;
  /** See `SessionOptions`. */
  readonly maxOutputBytes: number | undefined;
}

export interface LoadReply {
  readonly signature: Signature;
  /** See `Session.memoryBytes`. */
  readonly memoryBytes: number;
}

/**
 * A tuple, as the reply is: a field costs more in a message than in memory. `inputs` are positions
 * in `signature.inputs`, one for each of `feeds`; `outputs` are positions in `signature.outputs`,
 * all when absent.
 */
export type RunRequest = readonly [
  inputs: readonly number[],
  feeds: readonly WireTensor[],
  outputs: readonly number[] | undefined,
];

/** Absent: the same as in the last message. */
export type PreparedRequest = readonly [memory: SharedArrayBuffer, layout: RowLayout] | undefined;

export type RunReply = readonly [
  outputs: readonly WireTensor[],
  inputMs: number,
  computeMs: number,
  outputMs: number,
];

/**
 * Prepares a tensor for sending.
 *
 * @param moved receives buffers that may be transferred instead of copied; absent on a channel that
 *   copies anyway. A view that covers only part of its buffer is copied out first, because the rest
 *   would be transferred too.
 */
export function toWire(tensor: Tensor, moved: ArrayBuffer[] | undefined): WireTensor {
  if (tensor.type === 'string') {
    const packed = packStrings(tensor.shape, tensor.elements);
    moved?.push(packed.bytes.buffer as ArrayBuffer, packed.lengths.buffer as ArrayBuffer);
    return packed;
  }
  if (moved === undefined) return tensor;
  const { buffer, byteLength } = tensor.bytes;
  if (byteLength > 0 && buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) {
    // Two feeds may be views of one buffer: it moves once, and both views arrive.
    if (!moved.includes(buffer)) moved.push(buffer);
    return tensor;
  }
  const bytes = new Uint8Array(byteLength);
  bytes.set(tensor.bytes);
  moved.push(bytes.buffer);
  return { type: tensor.type, shape: tensor.shape, bytes };
}

/** A received tensor; its strings are views of one buffer. */
export function fromWire(wire: WireTensor): Tensor {
  if (wire.type !== 'string') return wire;
  const elements: Uint8Array[] = [];
  let offset = 0;
  for (const length of wire.lengths) {
    elements.push(wire.bytes.subarray(offset, offset + length));
    offset += length;
  }
  return { type: 'string', shape: wire.shape, elements };
}

export function packStrings(
  shape: readonly number[],
  elements: readonly Uint8Array[],
): PackedStrings {
  const lengths = Uint32Array.from(elements, (element) => element.byteLength);
  const bytes = new Uint8Array(lengths.reduce((total, length) => total + length, 0));
  let offset = 0;
  for (const element of elements) {
    bytes.set(element, offset);
    offset += element.byteLength;
  }
  return { type: 'string', shape, lengths, bytes };
}

/** Buffers from this size on are worth the microsecond that it takes to free one. */
const LARGE_BYTES = 64 * 1024;

/**
 * Gives back the memory of large inputs and strings at once, unless an output has it: V8 would
 * collect it only after more of them, as much as gigabytes.
 */
export function freeLarge(unused: readonly Uint8Array[], moved: readonly ArrayBuffer[] = []): void {
  for (const { buffer, byteLength } of unused) {
    if (byteLength < LARGE_BYTES || byteLength !== buffer.byteLength) continue;
    if (buffer instanceof ArrayBuffer && !moved.includes(buffer)) buffer.transfer(0);
  }
}
