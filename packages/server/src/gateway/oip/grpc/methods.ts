/** `inference.GRPCInferenceService`: every method except inference. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { remoteOf } from '@skein/http';
import { GRPCInferenceService, type ModelStatisticsSchema } from './proto/inference.gen.ts';
import type { GrpcService } from '../../face.ts';
import { extensionMethods } from './extension-methods.ts';
import { modelInfer, modelStreamInfer } from './infer.ts';
import { rawDefinition, unary, type GrpcMethod, type UnaryCall } from '../../grpc/method.ts';
import { callerOf } from '../../grpc/rules.ts';
import { isNodeReady } from '../../rules.ts';
import { modelConfigOf } from '../models/model-config.ts';
import { EXTENSIONS, metadataOf, SERVER_NAME, type TensorMetadata } from '../models/metadata.ts';
import {
  servedVersions,
  type BatchStatistics,
  type DurationStatistic,
  type ModelStatistics,
} from '../statistics.ts';
import type { GrpcOptions } from '../options.ts';

export function inferenceService(options: GrpcOptions): GrpcService {
  return { service: GRPCInferenceService, methods: methods(options) };
}

function methods(options: GrpcOptions): readonly GrpcMethod[] {
  const { inference, repository, statistics, logger } = options;
  const { method } = GRPCInferenceService;
  const infers = { needs: 'infer', tensors: true } as const;
  const by = (call: UnaryCall) => ({
    actor: callerOf(call.metadata).actor,
    remote: remoteOf(call),
  });

  return [
    [rawDefinition(method.modelInfer), modelInfer(options), infers],
    [rawDefinition(method.modelStreamInfer), modelStreamInfer(options), infers],
    unary(method.serverLive, 'nothing', logger, () => ({ live: true })),
    unary(method.serverReady, 'nothing', logger, () => ({ ready: isNodeReady(options) })),
    // A name or version that is not served is not ready, and no error: clients ask until it is.
    unary(method.modelReady, 'nothing', logger, ({ name, version }) => ({
      ready: options.isAccepting() && inference.isReady(name, named(version)),
    })),
    unary(method.serverMetadata, 'nothing', logger, () => ({
      name: options.serverName ?? SERVER_NAME,
      version: options.version,
      extensions: [...EXTENSIONS],
    })),
    unary(method.modelMetadata, 'reader', logger, ({ name, version }) => {
      const model = metadataOf(inference.describe(name, named(version)));
      return {
        name: model.name,
        versions: [...model.versions],
        platform: model.platform,
        inputs: model.inputs.map(tensorView),
        outputs: model.outputs.map(tensorView),
      };
    }),
    unary(method.modelConfig, 'reader', logger, ({ name, version }) => ({
      config: modelConfigOf(inference.describe(name, named(version))),
    })),
    unary(method.modelStatistics, 'read', logger, ({ name, version }) => {
      const served = servedVersions(inference, named(name), named(version));
      return { modelStats: statistics.read(served).map(statisticsView) };
    }),
    ...extensionMethods(options),
    unary(method.repositoryIndex, 'read', logger, async ({ ready }) => {
      const entries = await repository.index();
      return { models: ready ? entries.filter(({ state }) => state === 'READY') : [...entries] };
    }),
    unary(method.repositoryModelLoad, 'admin', logger, async ({ modelName, parameters }, call) => {
      const plain = Object.entries(parameters).map(
        ([key, { parameterChoice }]) => [key, parameterChoice.value] as const,
      );
      await repository.load(modelName, Object.fromEntries(plain), by(call));
      return {};
    }),
    unary(method.repositoryModelUnload, 'admin', logger, async ({ modelName }, call) => {
      await repository.unload(modelName, by(call));
      return {};
    }),
  ];
}

/** An empty name means no name. */
function named(name: string): string | undefined {
  return name === '' ? undefined : name;
}

function tensorView({ name, datatype, shape }: TensorMetadata) {
  return { name, datatype, shape: shape.map(BigInt) };
}

function statisticsView(stats: ModelStatistics): MessageInitShape<typeof ModelStatisticsSchema> {
  return {
    name: stats.name,
    version: stats.version,
    lastInference: BigInt(Math.round(stats.lastInference)),
    inferenceCount: BigInt(stats.inferenceCount),
    executionCount: BigInt(stats.executionCount),
    inferenceStats: {
      success: durationView(stats.success),
      fail: durationView(stats.fail),
      queue: durationView(stats.queue),
      ...computeView(stats),
      cacheHit: durationView(stats.cacheHit),
    },
    batchStats: stats.batches.map((batch) => ({
      batchSize: BigInt(batch.rows),
      ...computeView(batch),
    })),
  };
}

function computeView({ input, compute, output }: Omit<BatchStatistics, 'rows'>) {
  return {
    computeInput: durationView(input),
    computeInfer: durationView(compute),
    computeOutput: durationView(output),
  };
}

function durationView({ count, totalMs }: DurationStatistic): { count: bigint; ns: bigint } {
  return { count: BigInt(count), ns: BigInt(Math.round(totalMs * 1e6)) };
}
