/** The methods of Triton's extensions for shared memory, trace and log settings. */
import { callerOf } from '../../grpc/rules.ts';
import { unary, type GrpcMethod } from '../../grpc/method.ts';
import { logSettings, refuseChange, traceSettings } from '../settings.ts';
import { refuseCuda, type Region } from '../shared-memory/shared-memory.ts';
import type { GrpcOptions } from './methods.ts';
import { GRPCInferenceService } from './proto/inference.gen.ts';

export function extensionMethods({ regions, settings, logger }: GrpcOptions): GrpcMethod[] {
  const { method } = GRPCInferenceService;
  return [
    unary(method.systemSharedMemoryStatus, 'read', logger, ({ name }, call) => {
      const found = regions.list(callerOf(call.metadata).tenant, named(name));
      return { regions: Object.fromEntries(found.map((one) => [one.name, regionView(one)])) };
    }),
    unary(method.systemSharedMemoryRegister, 'admin', logger, async (region, call) => {
      const { name, key, offset, byteSize } = region;
      const sizes = { offset: Number(offset), byteSize: Number(byteSize) };
      await regions.register(callerOf(call.metadata).tenant, { name, key, ...sizes });
      return {};
    }),
    unary(method.systemSharedMemoryUnregister, 'admin', logger, async ({ name }, call) => {
      await regions.unregister(callerOf(call.metadata).tenant, named(name));
      return {};
    }),
    unary(method.cudaSharedMemoryStatus, 'read', logger, () => ({})),
    unary(method.cudaSharedMemoryRegister, 'admin', logger, ({ name }) => {
      throw refuseCuda(name);
    }),
    unary(method.cudaSharedMemoryUnregister, 'admin', logger, () => ({})),
    unary(method.traceSetting, 'read', logger, ({ settings: given }) => {
      refuseChange('trace', given);
      const entries = Object.entries(traceSettings(settings));
      return { settings: Object.fromEntries(entries.map(([name, value]) => [name, { value }])) };
    }),
    unary(method.logSettings, 'read', logger, ({ settings: given }) => {
      refuseChange('log', given);
      const entries = Object.entries(logSettings(settings));
      return {
        settings: Object.fromEntries(entries.map(([name, value]) => [name, logView(value)])),
      };
    }),
  ];
}

/** An empty name means no name. */
function named(name: string): string | undefined {
  return name === '' ? undefined : name;
}

function regionView({ name, key, offset, byteSize }: Region) {
  return { name, key, offset: BigInt(offset), byteSize: BigInt(byteSize) };
}

function logView(value: boolean | number | string) {
  if (typeof value === 'boolean') {
    return { parameterChoice: { case: 'boolParam' as const, value } };
  }
  if (typeof value === 'number') {
    return { parameterChoice: { case: 'uint32Param' as const, value } };
  }
  return { parameterChoice: { case: 'stringParam' as const, value } };
}
