/** A plane for the tests of the inference face: in memory, with calls that are written down. */
import { onTestFinished } from 'vitest';
import { fakeAccess, type fakeInference, strictLogger } from '../../testing/fake-inference.ts';
import { PayloadCodec } from '../oip/tensors/payload-codec.ts';
import type { ModelRepository } from '../oip/models/repository.ts';
import { createSharedRegions } from '../oip/shared-memory/shared-memory.ts';
import type { StatisticsSource } from '../oip/statistics.ts';

export function fakePlane(inference: ReturnType<typeof fakeInference>) {
  const access = fakeAccess();
  const calls: string[] = [];
  const regions = createSharedRegions('127.0.0.1');
  onTestFinished(() => regions.close());
  const repository: ModelRepository = {
    index: async () => [
      { name: 'echo', version: '1', state: 'READY', reason: '' },
      { name: 'echo', version: '2', state: 'UNAVAILABLE', reason: 'unloaded' },
    ],
    load: async (model, parameters, by) =>
      void calls.push(`load ${model} ${by.actor} ${by.remote} ${JSON.stringify(parameters)}`),
    unload: async (model, by) => void calls.push(`unload ${model} ${by.actor} ${by.remote}`),
  };
  const options = {
    inference,
    access,
    repository,
    statistics: { read: () => [] } as StatisticsSource,
    regions,
    hasRestored: () => true,
    codec: new PayloadCodec(),
    version: '9.9.9',
    logger: strictLogger,
  };
  return { options, calls };
}

/** The same statistics of the first version that is asked for. */
export const SAMPLE_STATISTICS: StatisticsSource = {
  read([served]) {
    const duration = { count: 2, totalMs: 1.5 };
    const parts = {
      input: { count: 2, totalMs: 0.25 },
      compute: duration,
      output: { count: 2, totalMs: 0.5 },
    };
    return [
      {
        name: served!.name,
        version: served!.versions[0]!,
        lastInference: 5,
        inferenceCount: 4,
        executionCount: 2,
        success: duration,
        fail: duration,
        queue: duration,
        ...parts,
        cacheHit: duration,
        batches: [{ rows: 2, ...parts }],
      },
    ];
  },
};
