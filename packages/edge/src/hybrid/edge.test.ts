/** A committed version whose process ends with each run, which no real model does at will. */
import { tensor, type TensorMap } from '@skein/onnx';
import { RuntimeFailure } from '@skein/runtime/contract';
import { afterAll, expect, it } from 'vitest';
import { smallModel, smallPublisher } from '../bundle/testing/small-bundle.ts';
import { NOW } from '../trust/testing/publisher.ts';
import { closeShared, sharedSession } from '../update/testing/edge-device.ts';
import { memoryStorage } from '../update/testing/memory-storage.ts';
import { HEALTH_ANSWERS } from '../update/state.ts';
import { openEdge } from './edge.ts';

const row = (): TensorMap => new Map([['x', tensor('float32', [1, 4], new Float32Array(4))]]);

afterAll(closeShared);

it('starts again once for an input that ends the process, and then returns the failure', async () => {
  const publisher = await smallPublisher();
  await publisher.pack(smallModel(1));
  let opened = 0;
  let isFatal = false;
  const edge = await openEdge({
    name: 'risk',
    source: publisher.place,
    pinnedRoot: publisher.root,
    storage: memoryStorage(),
    server: undefined,
    backend: 'native',
    runtimeVersion: '1.30.0',
    now: () => NOW,
    async open(bytes) {
      opened += 1;
      const session = await sharedSession(bytes);
      let runs = 0;
      return {
        ...session,
        runsOn: { backend: 'native', threads: 1 },
        run: (inputs) =>
          runs++ > 0 && isFatal
            ? Promise.reject(new RuntimeFailure('lost', 'The process has ended.'))
            : session.run(inputs),
      };
    },
  });
  await edge.update();
  for (let count = 0; count < HEALTH_ANSWERS; count++) await edge.infer(row());
  const before = opened;
  isFatal = true;
  await expect(edge.infer(row())).rejects.toMatchObject({ kind: 'lost' });
  expect(opened - before).toBe(2);
  isFatal = false;
  expect(await edge.infer(row())).toMatchObject({ where: 'local', version: '1' });
  expect(edge.failed).toEqual([]);
});
