/** Tensors of a request and its answer that travel in shared memory instead of the message. */
import { SkeinError } from '@skein/api';
import type { ElementType, Tensor, TensorMap } from '@skein/onnx';
import { brief, invalidRequest } from '../../brief.ts';
import type { Fields } from '../parameters.ts';
import type { SharedRegions, SharedSlice } from './shared-memory.ts';
import { bytesHeld, bytesOfTensor, plainBytes, tensorFromBytes } from '../tensors/tensor-bytes.ts';

/** An input whose values are read once the caller is known. */
export interface SharedInput {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly slice: SharedSlice;
}

/** Where outputs are written, by name. */
export type SharedOutputs = ReadonlyMap<string, SharedSlice>;

/** @param what the tensor, for messages. @throws SkeinError REQUEST_INVALID. */
export function sliceFrom(parameters: Fields, what: string): SharedSlice | undefined {
  const region = parameters['shared_memory_region'];
  const byteSize = parameters['shared_memory_byte_size'];
  const offset = parameters['shared_memory_offset'] ?? 0;
  if (region === undefined && byteSize === undefined) return undefined;
  if (typeof region === 'string' && isSize(byteSize) && isSize(offset)) {
    return { region, offset, byteSize };
  }
  throw invalidRequest(
    `Shared memory of ${what} takes shared_memory_region, shared_memory_byte_size and perhaps shared_memory_offset, but they are ${brief(region)}, ${brief(byteSize)} and ${brief(offset)}.`,
  );
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Reads the inputs that are in shared memory into `inputs`.
 * @param take counts the bytes against what the tenant may hold. @throws SkeinError as it does,
 *   BODY_TOO_LARGE, and as `SharedRegions.read` does.
 */
export async function readShared(
  shared: readonly SharedInput[],
  inputs: Map<string, Tensor>,
  regions: SharedRegions,
  tenant: string,
  maxBytes: number,
  take: (bytes: number) => void,
): Promise<void> {
  for (const { name, type, shape, slice } of shared) {
    if (slice.byteSize > maxBytes) {
      throw new SkeinError(
        'BODY_TOO_LARGE',
        `Input "${name}" has ${slice.byteSize} bytes in shared memory; the node accepts up to ${maxBytes}.`,
      );
    }
    take(slice.byteSize);
    const bytes = await regions.read(tenant, slice);
    const tensor = tensorFromBytes(type, shape, bytes, name);
    // Each string is an object next to its bytes.
    if (tensor.type === 'string') take(bytesHeld(new Map([[name, tensor]])));
    inputs.set(name, tensor);
  }
}

/** @throws SkeinError REQUEST_INVALID if an output does not fit, and as `SharedRegions.write` does. */
export async function writeShared(
  outputs: TensorMap,
  shared: SharedOutputs,
  regions: SharedRegions,
  tenant: string,
): Promise<void> {
  for (const [name, slice] of shared) {
    const tensor = outputs.get(name);
    if (tensor === undefined) continue;
    const bytes = plainBytes(bytesOfTensor(tensor));
    if (bytes.length > slice.byteSize) {
      throw invalidRequest(
        `Output "${name}" has ${bytes.length} bytes; shared_memory_byte_size gives it ${slice.byteSize}.`,
      );
    }
    await regions.write(tenant, slice, bytes);
  }
}
