/**
 * The messages between a session and its worker. Numeric tensors are sent as they are; the strings
 * of a string tensor are sent as one buffer, because structured clone copies the whole ArrayBuffer
 * behind every view: a hundred words cut out of a 60 MB body would be sent as 6 GB.
 *
 * Inputs and outputs go by their position in the signature, so a run sends no names.
 */
import type { NumericTensor, Signature, Tensor } from '@skein/onnx';
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
  /** See `SessionOptions`. */
  readonly maxOutputBytes: number | undefined;
}

export interface RunRequest {
  /** Positions in `signature.inputs`, one for each of `feeds`. */
  readonly inputs: readonly number[];
  readonly feeds: readonly WireTensor[];
  /** Positions in `signature.outputs`; all when absent. */
  readonly outputs: readonly number[] | undefined;
}

export type LoadReply = { readonly signature: Signature } | { readonly reason: string };

export type RunReply =
  | { readonly outputs: readonly WireTensor[]; readonly computeMs: number }
  | { readonly reason: string };

/** `end`: to a thread, which reads it after its current run. */
export type Request = LoadRequest | RunRequest | 'end';
export type Reply = LoadReply | RunReply;
/** The first message of a child process, sent after it has allocated its own memory. */
export type Started = 'started';

/**
 * Prepares a tensor for sending.
 *
 * @param moved receives buffers that may be transferred instead of copied; absent on a channel that
 *   copies anyway. A view that covers only part of its buffer is copied out first, because the rest
 *   would be transferred too.
 */
export function toWire(tensor: Tensor, moved: ArrayBuffer[] | undefined): WireTensor {
  if (tensor.type === 'string') {
    const packed = pack(tensor.shape, tensor.elements);
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

function pack(shape: readonly number[], elements: readonly Uint8Array[]): PackedStrings {
  const lengths = Uint32Array.from(elements, (element) => element.byteLength);
  const bytes = new Uint8Array(lengths.reduce((total, length) => total + length, 0));
  let offset = 0;
  for (const element of elements) {
    bytes.set(element, offset);
    offset += element.byteLength;
  }
  return { type: 'string', shape, lengths, bytes };
}
