/**
 * Tensors between the node's thread and a worker. A buffer that a tensor covers completely can be
 * moved; a view of a larger one is copied out first, because structured clone would send the whole
 * buffer. The strings of a tensor are sent as one buffer.
 */
import { setImmediate as turn } from 'node:timers/promises';
import threads from 'node:worker_threads';
import type { Tensor, TensorMap } from '@skein/onnx';
import { fromWire, packStrings, type WireTensor } from '@skein/runtime/wire';

export type WireTensors = readonly (readonly [string, WireTensor])[];

export interface PackedTensors {
  readonly tensors: WireTensors;
  readonly transfer: ArrayBuffer[];
}

/**
 * @param keep keeps the originals usable, at the cost of a copy.
 * @throws TypeError if the bytes of a tensor have been moved before.
 */
export function pack(tensors: TensorMap, keep: boolean): PackedTensors {
  const transfer = new Set<ArrayBuffer>();
  const packed = [...tensors].map(([name, tensor]) => {
    if (tensor.type === 'string') {
      const strings = packStrings([...tensor.shape], tensor.elements);
      for (const { buffer } of [strings.bytes, strings.lengths])
        transfer.add(buffer as ArrayBuffer);
      return [name, strings] as const;
    }
    const { bytes } = tensor;
    if (bytes.byteLength === 0 && (bytes.buffer as ArrayBuffer).detached) {
      throw new TypeError(
        `The tensor "${name}" was moved into an earlier call; keep a copy of it.`,
      );
    }
    const movable = !keep && coversItsBuffer(bytes) ? bytes : new Uint8Array(bytes);
    transfer.add(movable.buffer as ArrayBuffer);
    return [name, { type: tensor.type, shape: [...tensor.shape], bytes: movable }] as const;
  });
  return { tensors: packed, transfer: [...transfer] };
}

/** Strings that are unpacked per iteration of the event loop; a few milliseconds. */
const STRINGS_PER_TURN = 16_384;

/** Unpacks like `unpack`, but lets the event loop run while it unpacks a million strings. */
export async function unpackInTurns(tensors: WireTensors): Promise<Map<string, Tensor>> {
  const unpacked = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    if (!('lengths' in tensor)) {
      unpacked.set(name, tensor);
      continue;
    }
    const elements: Uint8Array[] = [];
    let offset = 0;
    for (const length of tensor.lengths) {
      elements.push(tensor.bytes.subarray(offset, (offset += length)));
      if (elements.length % STRINGS_PER_TURN === 0) await turn();
    }
    unpacked.set(name, { type: 'string', shape: tensor.shape, elements });
  }
  return unpacked;
}

export function unpack(tensors: WireTensors): Map<string, Tensor> {
  return new Map(tensors.map(([name, tensor]) => [name, fromWire(tensor)]));
}

function coversItsBuffer({ buffer, byteLength }: Uint8Array): boolean {
  return (
    buffer instanceof ArrayBuffer &&
    buffer.byteLength === byteLength &&
    !threads.isMarkedAsUntransferable(buffer)
  );
}
