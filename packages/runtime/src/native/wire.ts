/**
 * What crosses between a session and its worker. Numeric tensors cross as they are; the strings of
 * a string tensor cross as one buffer, because structured clone copies the whole ArrayBuffer behind
 * every view it meets: a hundred words cut out of a 60 MB body would be sent as 6 GB.
 *
 * Inputs and outputs are named by their position in the signature, so that a run sends no names.
 */
import { elementCount, type NumericTensor, type Signature, type Tensor } from '@skein/onnx';

export interface PackedStrings {
  readonly type: 'string';
  readonly shape: readonly number[];
  /** Bytes of each element; they lie one after the other in `bytes`. */
  readonly lengths: Uint32Array;
  readonly bytes: Uint8Array;
}

export type WireTensor = NumericTensor | PackedStrings;

export interface LoadRequest {
  readonly model: { readonly path: string } | { readonly bytes: Uint8Array };
  readonly device: 'cpu' | 'cuda';
  readonly threads: number;
}

export interface RunRequest {
  /** Positions in `signature.inputs`, beside `feeds`. */
  readonly inputs: readonly number[];
  readonly feeds: readonly WireTensor[];
  /** Positions in `signature.outputs`; all when absent. */
  readonly outputs: readonly number[] | undefined;
}

export type LoadReply =
  | { readonly signature: Signature }
  | { readonly failure: 'load' | 'unavailable'; readonly message: string };

export type RunReply =
  | { readonly outputs: readonly WireTensor[]; readonly computeMs: number }
  | { readonly failure: 'run'; readonly message: string };

/** Lays the strings of a tensor end to end. */
export function packStrings(
  shape: readonly number[],
  elements: readonly Uint8Array[],
): PackedStrings {
  const lengths = new Uint32Array(elements.length);
  let total = 0;
  for (let i = 0; i < elements.length; i++) total += lengths[i] = elements[i]!.byteLength;
  const bytes = new Uint8Array(total);
  let offset = 0;
  for (const element of elements) {
    bytes.set(element, offset);
    offset += element.byteLength;
  }
  return { type: 'string', shape, lengths, bytes };
}

/** Calls back with each string's bytes, as a view. */
export function eachString(packed: PackedStrings, visit: (element: Uint8Array) => void): void {
  let offset = 0;
  for (const length of packed.lengths) {
    visit(packed.bytes.subarray(offset, offset + length));
    offset += length;
  }
}

/**
 * Makes a tensor ready to be posted and adds to `transfer` what may move instead of being copied.
 * A view that covers only part of its buffer is copied first: the rest is not the worker's business.
 */
export function toWire(tensor: Tensor, transfer: ArrayBuffer[]): WireTensor {
  if (tensor.type === 'string') {
    const packed = packStrings(tensor.shape, tensor.elements);
    transfer.push(packed.bytes.buffer as ArrayBuffer, packed.lengths.buffer as ArrayBuffer);
    return packed;
  }
  const { buffer, byteLength } = tensor.bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) {
    // Two feeds may share one buffer: it moves once, and both views arrive.
    if (!transfer.includes(buffer)) transfer.push(buffer);
    return { type: tensor.type, shape: tensor.shape, bytes: tensor.bytes };
  }
  const bytes = new Uint8Array(byteLength);
  bytes.set(tensor.bytes);
  transfer.push(bytes.buffer);
  return { type: tensor.type, shape: tensor.shape, bytes };
}

/** Turns what arrived into a tensor; the strings are views of one buffer. */
export function fromWire(wire: WireTensor): Tensor {
  if (wire.type !== 'string') return wire;
  const elements: Uint8Array[] = [];
  eachString(wire, (element) => elements.push(element));
  return { type: 'string', shape: wire.shape, elements };
}

/** Whether a tensor holds as many bytes or elements as its shape takes; the reason if not. */
export function misfit(tensor: Tensor, elementSize: number): string | undefined {
  const count = elementCount(tensor.shape);
  if (tensor.type === 'string') {
    if (tensor.elements.length === count) return undefined;
    return `shape [${tensor.shape.join(', ')}] takes ${count} strings, but ${tensor.elements.length} were given`;
  }
  if (tensor.bytes.byteLength === count * elementSize) return undefined;
  return `shape [${tensor.shape.join(', ')}] of ${tensor.type} takes ${count * elementSize} bytes, but ${tensor.bytes.byteLength} were given`;
}
