/** The memory of a request: its tensors are views on it, or have it next to them. */
import { LARGE_BYTES, OwnedMemory } from '@skein/api/owned-memory';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { TensorMap } from '@skein/onnx';

/**
 * @param body or message; its tensors are added once it has been decoded.
 * @param copies counts the copies at replicas. @param onFree see `OwnedMemory`.
 * @returns undefined for a small body, which may be a part of a read of the socket: V8 collects it.
 */
export function memoryOf(
  body: Uint8Array,
  copies: () => BudgetHold,
  onFree?: () => void,
): OwnedMemory | undefined {
  if (body.byteLength < LARGE_BYTES) return undefined;
  const memory = new OwnedMemory(copies(), onFree);
  memory.add(body);
  return memory;
}

export function addInputs(memory: OwnedMemory, inputs: TensorMap): void {
  for (const tensor of inputs.values()) {
    if (tensor.type !== 'string') memory.add(tensor.bytes);
    // Large ones are views on one buffer.
    else if (tensor.elements.length > 0) memory.add(tensor.elements[0]!);
  }
}
