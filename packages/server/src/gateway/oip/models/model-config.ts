/**
 * The configuration of a deployed model as Triton's clients read it: one message, which gRPC sends
 * as it is and HTTP as JSON. It shows the state, not what could be set; see `load-override.ts` for that.
 */
import { create, toJson, type MessageInitShape } from '@bufbuild/protobuf';
import type { DeploymentSettings } from '@skein/api';
import type { TensorSpec } from '@skein/onnx';
import type { DeployedModel } from '@skein/serving';
import { configTypeOf } from './config-tensors.ts';
import {
  DataType,
  ModelConfigSchema,
  ModelInput_Format,
  ModelInstanceGroup_Kind,
} from '../grpc/proto/model_config.gen.ts';
import { platformOf, sizesOf } from './metadata.ts';

type Init<T> = Exclude<T, { $typeName: string } | undefined>;
type ConfigInit = Init<MessageInitShape<typeof ModelConfigSchema>>;

/** Triton's name of ONNX Runtime. */
const BACKEND = 'onnxruntime';
const FILE = 'model.onnx';
const KINDS: Readonly<Record<DeploymentSettings['device'], ModelInstanceGroup_Kind>> = {
  cpu: ModelInstanceGroup_Kind.CPU,
  cuda: ModelInstanceGroup_Kind.GPU,
};
/** Channels of an image: grey, colours, colours with transparency. */
const CHANNELS: readonly bigint[] = [1n, 3n, 4n];

export function modelConfigOf(model: DeployedModel): ConfigInit {
  const { name, versions, kind, signature, maxBatchRows, maxReplicas, settings } = model;
  const batched = maxBatchRows > 1;
  const tensor = (spec: TensorSpec) => ({
    name: spec.name,
    dataType: dataTypeOf(spec),
    dims: sizesOf(spec.shape.slice(batched ? 1 : 0)).map(BigInt),
  });
  return {
    name,
    platform: platformOf(kind),
    backend: kind === 'onnx' ? BACKEND : '',
    defaultModelFilename: kind === 'onnx' ? FILE : '',
    versionPolicy: {
      policyChoice: { case: 'specific', value: { versions: versions.map(BigInt) } },
    },
    maxBatchSize: batched ? maxBatchRows : 0,
    input: signature.inputs
      .map(tensor)
      .map((input) => ({ ...input, format: formatOf(input.dims) })),
    output: signature.outputs.map(tensor),
    instanceGroup: [{ name, count: maxReplicas, kind: KINDS[settings.device] }],
    schedulingChoice: batched ? batching(model) : { case: undefined },
    parameters: { intra_op_thread_count: { stringValue: String(settings.threads) } },
    responseCache: { enable: settings.cache !== undefined },
  };
}

/** A request waits for others only while every deadline in its batch holds. */
function batching({
  objectiveMs,
  settings,
}: DeployedModel): NonNullable<ConfigInit['schedulingChoice']> {
  return {
    case: 'dynamicBatching',
    value: {
      defaultQueuePolicy: {
        defaultTimeoutMicroseconds: BigInt(Math.round(objectiveMs * 1000)),
        allowTimeoutOverride: true,
        maxQueueSize: settings.maxQueue,
      },
    },
  };
}

function dataTypeOf(spec: TensorSpec): DataType {
  return DataType[configTypeOf(spec) as keyof typeof DataType] ?? DataType.TYPE_INVALID;
}

/** The order of an image's dimensions, as far as its channels decide it. */
function formatOf(dims: readonly bigint[]): ModelInput_Format {
  if (dims.length !== 3) return ModelInput_Format.NONE;
  if (CHANNELS.includes(dims[0]!)) return ModelInput_Format.NCHW;
  if (CHANNELS.includes(dims[2]!)) return ModelInput_Format.NHWC;
  return ModelInput_Format.NONE;
}

/** Fields of 64 bits, which Protocol Buffers' JSON writes as text and Triton as numbers. */
const WIDE = new Set([
  'dims',
  'versions',
  'max_queue_delay_microseconds',
  'default_timeout_microseconds',
]);

export function modelConfigJson(model: DeployedModel): unknown {
  const message = create(ModelConfigSchema, modelConfigOf(model));
  const json = toJson(ModelConfigSchema, message, {
    useProtoFieldName: true,
    alwaysEmitImplicit: true,
  });
  return withNumbers(json, false);
}

function withNumbers(value: unknown, wide: boolean): unknown {
  if (typeof value === 'string') return wide ? Number(value) : value;
  if (Array.isArray(value)) return value.map((item: unknown) => withNumbers(item, wide));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, withNumbers(item, WIDE.has(key))]));
}
