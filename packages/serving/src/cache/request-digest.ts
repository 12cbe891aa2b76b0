/**
 * The digest of a request: of the version, the inputs and the requested outputs.
 *
 * Two requests have one digest only if they are equal: a JSON header has names, types, shapes and
 * byte lengths, and the bytes follow in the same order, so no two requests hash the same bytes.
 */
import { createHash } from 'node:crypto';
import type { TensorMap } from '@skein/onnx';

/** sha-256, as a base64url string. */
export function requestDigest(
  version: string,
  inputs: TensorMap,
  outputs: readonly string[] | undefined,
): string {
  const names = [...inputs.keys()].sort();
  const header = names.map((name) => {
    const tensor = inputs.get(name)!;
    const lengths =
      tensor.type === 'string'
        ? tensor.elements.map((element) => element.byteLength)
        : tensor.bytes.byteLength;
    return [name, tensor.type, tensor.shape, lengths];
  });
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([version, outputs === undefined ? null : [...outputs].sort(), header]),
  );
  hash.update('\n');
  for (const name of names) {
    const tensor = inputs.get(name)!;
    if (tensor.type !== 'string') hash.update(tensor.bytes);
    else for (const element of tensor.elements) hash.update(element);
  }
  return hash.digest('base64url');
}
