/** The methods of Triton's extensions for shared memory. */
import { callerOf } from '../../grpc/rules.ts';
import { unary, type GrpcMethod } from '../../grpc/method.ts';
import { refuseCuda, type Region } from '../shared-memory/shared-memory.ts';
import { GRPCInferenceService } from './proto/inference.gen.ts';
import type { GrpcOptions } from '../options.ts';

export function extensionMethods({ regions, logger }: GrpcOptions): GrpcMethod[] {
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
  ];
}

/** An empty name means no name. */
function named(name: string): string | undefined {
  return name === '' ? undefined : name;
}

function regionView({ name, key, offset, byteSize }: Region) {
  return { name, key, offset: BigInt(offset), byteSize: BigInt(byteSize) };
}
