/** Values of the protocol's paths and bodies in examples. */
import type { ProtocolPath } from './extensions.ts';

/** The node of `npm start` serves `ocr`; no example changes it. */
export function protocolParameters({ scope }: ProtocolPath): Readonly<Record<string, string>> {
  return { model: scope === 'admin' ? 'risk' : 'ocr', version: '1', region: 'image' };
}

/** By the name of the schema. */
export const PROTOCOL_BODIES: Readonly<Record<string, object>> = {
  InferRequest: {
    inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] }],
  },
  SharedMemoryObject: { key: '/image', byte_size: 602_112 },
  RepositoryLoad: { parameters: { config: '{"max_batch_size":16}' } },
};

/** A whole file as the only input, in place of tensors in JSON. */
export const FILE_REQUEST =
  "-H 'Inference-Header-Content-Length: 0' -H 'Accept: application/json' --data-binary @examples/ocr/images/street-sign.jpg";
