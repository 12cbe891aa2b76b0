/** Against a real model in ONNX Runtime. */
import { DeploymentSettings } from '@skein/api';
import { readModel, signatureOf } from '@skein/onnx';
import { nativeRuntime, type Runtime } from '@skein/runtime';
import { expect, it, onTestFinished } from 'vitest';
import { MLP } from '../testing/harness.ts';
import { VersionReplicas } from './version-replicas.ts';

it('finds out once, in the trial, which rows may share a run', async () => {
  const rows: Record<'process' | 'thread', number[]> = { process: [], thread: [] };
  const runtime: Runtime = {
    ...nativeRuntime,
    async open(model, options, signal) {
      const session = await nativeRuntime.open(model, options, signal);
      return {
        ...session,
        run: (feeds, outputs) => {
          rows[options.isolation].push(feeds.get('x')!.shape[0]!);
          return session.run(feeds, outputs);
        },
      };
    },
  };
  const replicas = new VersionReplicas(
    {
      version: '1',
      signature: signatureOf(readModel(MLP)),
      model: { bytes: MLP },
      settings: DeploymentSettings.parse({ isolation: 'thread', batching: { maxRows: 2 } }),
      triesFirst: true,
      runtime,
      clock: performance,
    },
    (warmth) => expect(warmth).toEqual({ maxRows: 2, unbatched: undefined }),
    () => {},
  );
  onTestFinished(() => replicas.close());
  replicas.scaleTo(1);
  await expect
    .poll(() => replicas.snapshot().map(({ state }) => state), { timeout: 30_000 })
    .toEqual(['ready']);
  expect(rows).toEqual({ process: [1, 1, 1, 1, 2, 1, 2], thread: [1, 1, 1, 2, 2] });
});
