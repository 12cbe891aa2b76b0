import { expect, it } from 'vitest';
import { SkeinError } from '@skein/api/errors';
import { createProcessSandbox } from '@skein/sandbox/process';
import type { JobStore } from '../../contract.ts';
import { openSqliteJobs } from '../../store/sqlite/sqlite-jobs.ts';
import { command, workerFixture } from '../testing/worker-fixture.ts';

const LEASE_MS = 300;

/**
 * A store that is unreachable from the first piece of a log on, until the worker has retried so
 * often that its lease has passed by its own clock. The store itself has not expired the lease.
 */
async function awayWhileLeasesPass(): Promise<{ store: JobStore; asked: () => number }> {
  const real = await openSqliteJobs(':memory:');
  let away = false;
  let renewals = 0;
  const reach = async <T>(call: () => Promise<T>): Promise<T> => {
    if (away) throw new SkeinError('STORE_UNREACHABLE', 'It is away.');
    return call();
  };
  return {
    asked: () => renewals,
    store: {
      ...real,
      tick: async () => Number.MAX_SAFE_INTEGER,
      claim: (offer) => reach(() => real.claim(offer)),
      finish: (token, outcome) => reach(() => real.finish(token, outcome)),
      appendLog(...piece) {
        away ||= renewals === 0;
        return reach(() => real.appendLog(...piece));
      },
      renew(...leases) {
        // Twelve retries per lease while the store is away.
        if (away) away = ++renewals < 24;
        return reach(() => real.renew(...leases));
      },
    },
  };
}

it('writes the log of ended work to a store that was away for longer than the lease', async () => {
  const driver = createProcessSandbox();
  const { store, asked } = await awayWhileLeasesPass();
  {
    await using jobs = await workerFixture({ store, sandboxes: [driver] });
    await jobs.start({ leaseMs: LEASE_MS });
    const { id } = await jobs.enqueue(command(['echo', 'done'], { trusted: true }));
    const job = await jobs.ended(id);
    expect(asked()).toBe(24);
    expect(job).toMatchObject({ state: 'succeeded' });
    expect(await jobs.logOf(id)).toBe('done\n');
  }
  await driver.close();
});
