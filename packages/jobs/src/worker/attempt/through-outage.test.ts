/** The store of artifacts is away for a while: no attempt is spent, and nothing is lost. */
import { SkeinError } from '@skein/api/errors';
import { createProcessSandbox } from '@skein/sandbox/process';
import type { ArtifactStore } from '@skein/state';
import { expect, it } from 'vitest';
import * as tasks from '../testing/test-tasks.ts';
import { command, testTask, workerFixture } from '../testing/worker-fixture.ts';

const away = (code: 'STORE_UNREACHABLE' | 'STORE_DENIED' = 'STORE_UNREACHABLE'): never => {
  throw new SkeinError(code, 'The bucket is away.');
};

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** Away for the first call of each kind. A write fails when a part of it has been sent. */
function awayAtFirst(artifacts: ArtifactStore, code: Parameters<typeof away>[0]): ArtifactStore {
  const known = new Set<string>();
  const isFirst = (call: string): boolean => known.size < known.add(call).size;
  return {
    ...artifacts,
    pathOf: async (digest) => (isFirst('pathOf') ? away(code) : artifacts.pathOf(digest)),
    async put(content, maxBytes) {
      if (!isFirst('put')) return artifacts.put(content, maxBytes);
      for await (const _ of content) away(code);
      return away(code);
    },
  };
}

it.each(['STORE_UNREACHABLE', 'STORE_DENIED'] as const)(
  'a task and a command wait with their only attempt while it answers %s',
  async (code) => {
    const driver = createProcessSandbox();
    await using jobs = await workerFixture({ sandboxes: [driver] });
    const { digest } = await jobs.artifacts.put(once('content'), 100);
    await jobs.start({ artifacts: awayAtFirst(jobs.artifacts, code) });
    const copied = await jobs.run(testTask(tasks.copies, { digest }));
    expect(copied).toMatchObject({
      state: 'succeeded',
      result: { outputs: [{ path: 'copy.bin' }] },
    });
    await jobs.start({ artifacts: awayAtFirst(jobs.artifacts, code), queues: ['commands'] });
    const work = command(['/bin/sh', '-c', 'cp in out; cp in other'], {
      inputs: [{ path: 'in', digest }],
      outputs: [{ path: 'out' }, { path: 'other' }],
      trusted: true,
    });
    const ran = await jobs.run(work, { queue: 'commands' });
    expect(ran).toMatchObject({
      state: 'succeeded',
      result: {
        outputs: [
          { path: 'out', digest },
          { path: 'other', digest },
        ],
      },
    });
    expect([...copied.attempts, ...ran.attempts]).toHaveLength(2);
    await driver.close();
  },
);

it('a worker that is stopped meanwhile gives its jobs back', async () => {
  const driver = createProcessSandbox();
  await using jobs = await workerFixture({ sandboxes: [driver] });
  const pathOf = Promise.withResolvers<void>();
  const worker = await jobs.start({
    artifacts: {
      ...jobs.artifacts,
      async pathOf() {
        pathOf.resolve();
        return away();
      },
    },
  });
  const inputs = [{ path: 'in', digest: 'a'.repeat(64) }];
  const { id } = await jobs.enqueue(command(['true'], { inputs, trusted: true }));
  await pathOf.promise;
  await worker.drain(0);
  expect(await jobs.store.job(id)).toMatchObject({
    state: 'ready',
    attempts: [{ outcome: 'preempted' }],
  });
  await driver.close();
});
