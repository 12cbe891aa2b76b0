/**
 * A worker stops answering in the middle of a long command; the next attempt resumes from the last
 * checkpoint that the command announced.
 */
import { describe, expect, it } from 'vitest';
import { openFileArtifacts } from '@skein/state';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { JobState } from '../contract.ts';
import { restoreCheckpoint } from '../worker/attempt/checkpoint.ts';
import { command, jobSpec } from '../worker/testing/worker-fixture.ts';
import { FAULT_STORES } from './testing/fault-stores.ts';
import { startWorkerProcess, type WorkerProcess } from './testing/worker-process.ts';

const sandboxes = [
  { sandbox: 'bubblewrap', isolated: true, skip: requireComponent('bubblewrap').skip },
  { sandbox: 'process', isolated: false, skip: false },
].filter(({ skip }) => !skip);
const cases = FAULT_STORES.flatMap((faults) =>
  sandboxes.map((each) => ({ ...each, faults, store: faults.name })),
);

/** Two epochs, each with a checkpoint; the third one never ends. After a restart it is skipped. */
const SCRIPT = `
n=$(cat state/epoch 2>/dev/null || echo 0)
echo "from $n"
[ "$n" = 2 ] && exit 0
for epoch in 1 2; do
  mkdir next; echo $epoch > next/epoch; head -c 100000 /dev/urandom > next/weights
  rm -rf state; mv next state; echo ::checkpoint >&2
done
rm -rf next; mkdir next; echo half > next/epoch
exec sleep 1000`;

describe.each(cases)('over $store, in $sandbox', ({ faults, isolated }) => {
  it(
    'a command resumes from its checkpoint when its worker was killed',
    { timeout: 90_000 },
    async () => {
      await using place = await faults.open();
      const options = { store: place.store, blobs: place.blobs, leaseMs: 1500, isolated };
      const artifacts = await openFileArtifacts(place.blobs, { shared: true });
      const work = command(['/bin/sh', '-c', SCRIPT], { trusted: !isolated, checkpoint: 'state' });
      const worker = await startWorkerProcess(options);
      const [job] = await worker.call('enqueue', [
        jobSpec(work, { retry: { maxAttempts: 5, backoffMs: 0, maxBackoffMs: 0 } }),
      ]);
      const kept = (by: WorkerProcess) => async (): Promise<string | undefined> => {
        const listing = (await by.call('job', job!.id))?.checkpoint;
        let epoch: string | undefined;
        if (listing === undefined) return undefined;
        const put = async (files: Iterable<{ path: string; content: Uint8Array }>) => {
          for (const { path, content } of files) {
            if (path === 'state/epoch') epoch = Buffer.from(content).toString();
          }
        };
        await restoreCheckpoint({ put }, listing, { artifacts });
        return epoch;
      };
      await expect.poll(kept(worker), { timeout: 30_000 }).toBe('2\n');
      await worker.kill();

      const next = await startWorkerProcess(options);
      const state = async (): Promise<JobState | undefined> =>
        (await next.call('job', job!.id))?.state;
      await expect.poll(state, { timeout: 30_000 }).toBe('succeeded');
      const { attempts } = (await next.call('job', job!.id))!;
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['lease-lost', 'succeeded']);
      const { chunk } = await next.call('log', job!.id, 2, 0, 1000);
      expect(Buffer.from(chunk).toString()).toBe('from 2\n');
      await next.kill();
    },
  );
});
