/**
 * Inference requests as bytes to send: the Open Inference Protocol over HTTP, as JSON or with the
 * binary tensor extension, and its gRPC message.
 */
import { datatypeOf } from '@skein/api';
import type { Tensor } from '@skein/onnx';
import { tensorElements } from './tensor-elements.ts';
import { bytesField, int64ListField, stringField } from './protobuf.ts';

export interface InferenceBody {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** Plain JSON: what `curl` and most clients send. */
export function jsonBody(inputs: Tensors): InferenceBody {
  const request = {
    inputs: Object.entries(inputs).map(([name, tensor]) => ({
      name,
      shape: tensor.shape,
      datatype: datatypeOf(tensor.type),
      data: tensorElements(tensor),
    })),
  };
  return {
    body: Buffer.from(JSON.stringify(request)),
    headers: { 'content-type': 'application/json' },
  };
}

/** A JSON header, then the tensors' bytes; the answer comes in the same form. */
export function binaryBody(inputs: Tensors): InferenceBody {
  const parts = Object.entries(inputs).map(([name, tensor]) => ({
    name,
    tensor,
    bytes: rawContents(tensor),
  }));
  const header = Buffer.from(
    JSON.stringify({
      inputs: parts.map(({ name, tensor, bytes }) => ({
        name,
        shape: tensor.shape,
        datatype: datatypeOf(tensor.type),
        parameters: { binary_data_size: bytes.byteLength },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  return {
    body: Buffer.concat([header, ...parts.map(({ bytes }) => bytes)]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(header.byteLength),
    },
  };
}

/** `inference.ModelInferRequest`: fields 1 name, 2 version, 5 inputs, 7 raw_input_contents. */
export function grpcBody(
  deployment: string,
  version: string | undefined,
  inputs: Tensors,
): InferenceBody {
  const tensors = Object.entries(inputs);
  return {
    body: Buffer.concat([
      stringField(1, deployment),
      stringField(2, version ?? ''),
      // ModelInferRequest.InferInputTensor: 1 name, 2 datatype, 3 shape.
      ...tensors.map(([name, tensor]) =>
        bytesField(
          5,
          Buffer.concat([
            stringField(1, name),
            stringField(2, datatypeOf(tensor.type)),
            int64ListField(3, tensor.shape),
          ]),
        ),
      ),
      ...tensors.map(([, tensor]) => bytesField(7, rawContents(tensor))),
    ]),
    headers: {},
  };
}

export const GRPC_INFER_PATH = '/inference.GRPCInferenceService/ModelInfer';

/** Little-endian values; each element of a string tensor behind its length in four bytes. */
function rawContents(tensor: Tensor): Uint8Array {
  if (tensor.type !== 'string') return tensor.bytes;
  return Buffer.concat(
    tensor.elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.byteLength);
      return [length, element];
    }),
  );
}
