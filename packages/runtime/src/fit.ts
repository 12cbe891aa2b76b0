import { elementCount, elementSize } from '@skein/onnx';
import type { Tensor } from '@skein/onnx';
import { RuntimeFailure } from './contract.ts';

/** @throws RuntimeFailure `'run'` when the data of a feed do not fill its shape exactly. */
export function checkFit(name: string, tensor: Tensor): void {
  const count = elementCount(tensor.shape);
  const shape = tensor.shape.join(', ');
  if (tensor.type === 'string') {
    if (tensor.elements.length === count) return;
    throw new RuntimeFailure(
      'run',
      `Input '${name}' of shape [${shape}] takes ${count} strings, but ${tensor.elements.length} were given.`,
    );
  }
  const expected = count * elementSize(tensor.type);
  if (tensor.bytes.byteLength === expected) return;
  throw new RuntimeFailure(
    'run',
    `Input '${name}' of shape [${shape}] and type ${tensor.type} takes ${expected} bytes, but ${tensor.bytes.byteLength} were given.`,
  );
}
