/** Metadata of the server and its models in the protocol, the same over HTTP and gRPC. */
import { datatypeOf } from '@skein/api';
import type { TensorSpec } from '@skein/onnx';
import type { DeployedModel } from '@skein/serving';

export const SERVER_NAME = 'skein';

/** Names of the extensions that are fully supported, as Triton names them. */
export const EXTENSIONS: readonly string[] = [
  'binary_tensor_data',
  'parameters',
  'schedule_policy',
  'model_repository',
  'statistics',
];

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** -1: an open size. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export function metadataOf({ name, versions, kind, signature }: DeployedModel): ModelMetadata {
  return {
    name,
    versions,
    // Triton's names, which clients and dashboards know.
    platform: kind === 'onnx' ? 'onnxruntime_onnx' : 'ensemble',
    inputs: signature.inputs.map(tensorMetadata),
    outputs: signature.outputs.map(tensorMetadata),
  };
}

function tensorMetadata({ name, type, shape }: TensorSpec): TensorMetadata {
  return {
    name,
    datatype: datatypeOf(type),
    shape: shape.map((size) => (typeof size === 'number' ? size : -1)),
  };
}
