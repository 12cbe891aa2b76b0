/** Metadata of the server and its models in the protocol, the same over HTTP and gRPC. */
import { datatypeOf } from '@skein/api';
import type { TensorSpec } from '@skein/onnx';
import type { DeployedModel } from '@skein/serving';

export const SERVER_NAME = 'skein';

/** Names of the extensions that are fully supported, as Triton names them. */
export const EXTENSIONS: readonly string[] = [
  'binary_tensor_data',
  'classification',
  'parameters',
  'schedule_policy',
  'model_configuration',
  'model_repository',
  'statistics',
  'system_shared_memory',
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
    platform: platformOf(kind),
    inputs: signature.inputs.map(tensorMetadata),
    outputs: signature.outputs.map(tensorMetadata),
  };
}

function tensorMetadata({ name, type, shape }: TensorSpec): TensorMetadata {
  return {
    name,
    datatype: datatypeOf(type),
    shape: sizesOf(shape),
  };
}

/** Triton's names, which clients and dashboards know. */
export function platformOf(kind: DeployedModel['kind']): string {
  return kind === 'onnx' ? 'onnxruntime_onnx' : 'ensemble';
}

/** -1: an open size. */
export function sizesOf(shape: TensorSpec['shape']): number[] {
  return shape.map((size) => (typeof size === 'number' ? size : -1));
}
