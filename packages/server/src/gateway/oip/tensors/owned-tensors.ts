/** The memory of a request, whose tensors are views on it or lie next to it, and of what a run has made of it. */
import { freeLarge, LARGE_BYTES, OwnedMemory } from '@skein/api/owned-memory';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { NumericTensor, TensorMap } from '@skein/onnx';
import { bytesMade } from './tensor-bytes.ts';

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

/**
 * Checks whether the tenant of a request may hold its answer. Outputs that it may not hold are freed, and count until
 * then.
 *
 * @param bytes of the answer. @param request what the request holds.
 * @throws SkeinError BODIES_TOO_LARGE.
 */
export function checkOutputs(
  outputs: TensorMap,
  bytes: number,
  request: Pick<BudgetHold, 'checkAnswer'>,
  newHold: () => BudgetHold,
): void {
  try {
    request.checkAnswer(bytes);
  } catch (error) {
    const freed = newHold();
    freed.restore(bytesMade(outputs));
    const tensors = [...outputs.values()].filter(({ type }) => type !== 'string');
    freeLarge(
      (tensors as NumericTensor[]).map((tensor) => tensor.bytes),
      () => freed.release(),
    );
    throw error;
  }
}
