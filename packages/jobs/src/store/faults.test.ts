/**
 * The guarantees of the stores when something fails: the process that uses the store, the Redis
 * server, the connection, the disk. SKEIN_FULL=1 is the full proof; a few rounds are the default.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { mountTinyDisk, tinyDisk } from '../../../state/src/testing/tiny-disk.ts';
import type { JobStore } from '../contract.ts';
import { FULL, roundsOf, SEED } from '../faults/testing/fault-size.ts';
import { openRedisJobs } from './redis/redis-jobs.ts';
import { openSqliteJobs } from './sqlite/sqlite-jobs.ts';
import { claimOne, enqueueOne, job, offer, success } from './testing/fixtures.ts';
import { startRedis } from './testing/redis-server.ts';

const ROUNDS = roundsOf(6);
const redis = requireComponent('redis');

const disposals: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

/** The answers that a user of the store has received. */
interface Answers {
  readonly enqueued: Set<string>;
  readonly claimed: Map<number, string>;
  readonly finished: Map<string, number>;
}
const noAnswers = (): Answers => ({ enqueued: new Set(), claimed: new Map(), finished: new Map() });

/**
 * Enqueues, claims and finishes as fast as it can, and reports each call only after it is
 * acknowledged. Half of the claims are left to expire.
 */
const user = (open: string) => `
  import { writeSync } from 'node:fs';
  import { openSqliteJobs } from '${import.meta.dirname}/sqlite/sqlite-jobs.ts';
  import { job, offer, success } from '${import.meta.dirname}/testing/fixtures.ts';
  const store = await ${open};
  const report = (line) => {
    for (;;) {
      try {
        return writeSync(1, JSON.stringify(line) + '\\n');
      } catch (error) {
        // The reader is behind, and a pipe takes a short line whole or not at all.
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  };
  const retry = { maxAttempts: 1000, backoffMs: 0, maxBackoffMs: 0 };
  for (let round = 0; ; round += 1) {
    const made = await store.enqueue([job({ retry }), job({ retry })]);
    report({ enqueued: made.map((each) => each.id) });
    const claims = await store.claim(offer({ max: 2, leaseMs: 1 }));
    for (const { token, job } of claims) {
      report({ claimed: job.id, token });
      if (round % 2) continue;
      const ended = await store.finish(token, success(token));
      if (ended) report({ finished: job.id, token });
    }
    await store.tick();
  }`;

function note(answers: Answers, line: string): void {
  const { enqueued, claimed, finished, token } = JSON.parse(line) as {
    enqueued?: string[];
    claimed?: string;
    finished?: string;
    token: number;
  };
  for (const id of enqueued ?? []) answers.enqueued.add(id);
  if (claimed !== undefined) {
    expect(answers.claimed.has(token), `token ${token} was given twice`).toBe(false);
    answers.claimed.set(token, claimed);
  }
  if (finished !== undefined) answers.finished.set(finished, token);
}

/** Compares the store after the fault with the calls that were acknowledged before it. */
async function expectKept(store: JobStore, answers: Answers): Promise<void> {
  for (const id of answers.enqueued) {
    const kept = await store.job(id);
    expect(kept, `job ${id} was accepted and is lost`).toBeDefined();
    const token = answers.finished.get(id);
    if (token !== undefined) {
      expect(kept).toMatchObject({ state: 'succeeded', result: { value: token } });
    }
    const succeeded = kept?.attempts.filter((attempt) => attempt.outcome === 'succeeded') ?? [];
    expect(succeeded.length, `job ${id} was committed twice`).toBeLessThanOrEqual(1);
  }
  // Counts are stored apart from the jobs, so they would show a transition that was only half made.
  for (const { queue, counts } of await store.queues()) {
    for (const state of ['ready', 'running', 'succeeded'] as const) {
      let found = 0;
      for (let after: string | undefined; ;) {
        const page = await store.jobs({ queue, state, limit: 1000, after });
        found += page.jobs.length;
        after = page.next;
        if (after === undefined) break;
      }
      expect(found).toBe(counts[state]);
    }
  }
}

/** Every job that is left can still be finished. */
async function expectDone(store: JobStore, answers: Answers): Promise<void> {
  const last = Math.max(0, ...answers.claimed.keys());
  for (let left = answers.enqueued.size * 3; left > 0; left -= 1) {
    await store.tick();
    const claims = await store.claim(offer({ leaseMs: 60_000 }));
    for (const { token } of claims) {
      expect(token).toBeGreaterThan(last);
      expect(await store.finish(token, success(token))).toBeDefined();
    }
    const [view] = await store.queues();
    if (view && view.counts.ready + view.counts.running + view.counts.blocked === 0) return;
  }
  throw new Error('Some jobs never became ready again.');
}

const moments = fc.sample(fc.integer({ min: 5, max: 300 }), { numRuns: ROUNDS, seed: SEED });

describe(`kill -9, seed ${SEED}`, () => {
  it(
    'of the process that uses SQLite loses nothing that was acknowledged',
    { timeout: 60_000 + ROUNDS * 5000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'skein-jobs-kill-'));
      disposals.push(() => rm(folder, { recursive: true }));
      const path = join(folder, 'jobs.db');
      const answers = noAnswers();
      for (const lines of moments) {
        const child = spawn(
          process.execPath,
          [
            '--input-type=module',
            '--disable-warning=ExperimentalWarning',
            '-e',
            user(`openSqliteJobs(${JSON.stringify(path)})`),
          ],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        );
        let received = 0;
        const reader = createInterface(child.stdout);
        reader.on('line', (line) => {
          if (line.endsWith('}')) note(answers, line);
          received += 1;
          if (received === lines) child.kill('SIGKILL');
        });
        await Promise.all([once(child, 'exit'), once(reader, 'close')]);
        expect(child.signalCode).toBe('SIGKILL');
      }
      const store = await openSqliteJobs(path);
      disposals.push(() => store.close());
      await expectKept(store, answers);
      await expectDone(store, answers);
      await expectKept(store, answers);
    },
  );

  it.skipIf(redis.skip)(
    'of the Redis server loses nothing that was acknowledged, and commits nothing twice',
    { timeout: 60_000 + ROUNDS * 5000 },
    async () => {
      const server = await startRedis({ fsync: 'always' });
      disposals.push(() => server.destroy());
      const store = await openRedisJobs(server.url, { namespace: 'kill' });
      disposals.push(() => store.close());
      const answers = noAnswers();
      const retry = { maxAttempts: 1000, backoffMs: 0, maxBackoffMs: 0 };
      let calls = 0;
      let done = false;
      let reached = () => {};
      /** Like the user above; it continues after an error that reports that the server is away. */
      const take = async (round: number): Promise<void> => {
        const made = await store.enqueue([job({ retry }), job({ retry })]);
        note(answers, JSON.stringify({ enqueued: made.map((each) => each.id) }));
        for (const { token, job } of await store.claim(offer({ max: 2, leaseMs: 50 }))) {
          note(answers, JSON.stringify({ claimed: job.id, token }));
          if (round % 2) continue;
          const ended = await store.finish(token, success(token));
          if (ended) note(answers, JSON.stringify({ finished: job.id, token }));
        }
        await store.tick();
        calls += 1;
        reached();
      };
      const using = (async () => {
        for (let round = 0; !done; round += 1) {
          await take(round).catch((error: unknown) => {
            // A server on a busy machine may take longer to restart than a call waits for it.
            if ((error as { code?: string }).code !== 'STORE_UNREACHABLE') throw error;
          });
        }
      })();
      for (const lines of moments) {
        const until = calls + Math.ceil(lines / 10);
        const far = new Promise<void>((resolve) => {
          reached = () => {
            if (calls >= until) resolve();
          };
        });
        await Promise.race([far, using]);
        await server.kill();
        await server.start();
      }
      done = true;
      await using;
      await expectKept(store, answers);
      await expectDone(store, answers);
      await expectKept(store, answers);
    },
  );
});

describe('a Redis that is away', () => {
  it.skipIf(redis.skip)(
    'makes calls fail with a retryable code, and continues after its restart',
    { timeout: 60_000 },
    async () => {
      const server = await startRedis();
      disposals.push(() => server.destroy());
      const store = await openRedisJobs(server.url, { namespace: 'away' });
      disposals.push(() => store.close());
      await enqueueOne(store);
      const { token } = await claimOne(store, { leaseMs: 600_000 });
      await server.kill();
      const unreachable = { code: 'STORE_UNREACHABLE', retryAfterMs: expect.any(Number) };
      await Promise.all([
        expect(enqueueOne(store)).rejects.toMatchObject(unreachable),
        expect(store.finish(token, success())).rejects.toMatchObject(unreachable),
        expect(store.claim(offer())).rejects.toMatchObject(unreachable),
      ]);
      const waiting = store.waitForWork(['q'], 60_000, new AbortController().signal, 'w');
      await server.start();
      await waiting;
      expect(await store.renew('w', [token], 600_000)).toEqual([{ token, state: 'kept' }]);
      expect(await store.finish(token, success(7))).toBe('succeeded');
      expect((await store.jobs({ limit: 10 })).jobs).toHaveLength(1);
    },
  );

  // An unhandled rejection fails the run.
  it.skipIf(redis.skip)(
    'can be closed while the connection is being restored',
    { timeout: 60_000 },
    async () => {
      const server = await startRedis();
      disposals.push(() => server.destroy());
      for (let round = 0; round < 8; round++) {
        const store = await openRedisJobs(server.url, { namespace: 'back' });
        await server.kill();
        await server.start();
        await store.now();
        await store.close();
        await expect(store.now()).rejects.toThrow('closed');
      }
    },
  );

  // It takes the minute.
  it.skipIf(redis.skip || !FULL)(
    'for a minute loses no job and lets no holder of an old lease write',
    { timeout: 180_000 },
    async () => {
      const server = await startRedis();
      disposals.push(() => server.destroy());
      const store = await openRedisJobs(server.url, { namespace: 'minute' });
      disposals.push(() => store.close());
      const retry = { maxAttempts: 2, backoffMs: 0, maxBackoffMs: 0 };
      const made = await store.enqueue(Array.from({ length: 100 }, () => job({ retry })));
      const free = { cores: 100, memoryBytes: 2 ** 36 };
      const claims = await store.claim(offer({ free, max: 50, leaseMs: 30_000 }));
      expect(claims).toHaveLength(50);
      await server.kill();
      await sleep(60_000);
      await server.start();
      await expect
        .poll(
          () =>
            store.tick().then(
              () => true,
              () => false,
            ),
          { timeout: 30_000 },
        )
        .toBe(true);
      for (const { token } of claims) expect(await store.finish(token, success())).toBeUndefined();
      const again = await store.claim(offer({ free, max: 200, leaseMs: 60_000 }));
      expect(again.map((claim) => claim.job.id).sort()).toEqual(made.map(({ id }) => id).sort());
      for (const { token } of again) {
        expect(await store.finish(token, success())).toBe('succeeded');
      }
    },
  );

  it.skipIf(redis.skip)(
    'that is away at the start is reported at once',
    { timeout: 60_000 },
    async () => {
      const server = await startRedis();
      await server.destroy();
      await expect(openRedisJobs(server.url, { namespace: 'x' })).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
      });
    },
  );

  it.skipIf(redis.skip)('that restarts without functions gets them again', async () => {
    const server = await startRedis();
    disposals.push(() => server.destroy());
    const store = await openRedisJobs(server.url, { namespace: 'x' });
    disposals.push(() => store.close());
    const id = await enqueueOne(store);
    const { Redis } = await import('ioredis');
    const client = new Redis(server.url);
    await client.function('FLUSH');
    client.disconnect();
    expect(await store.job(id)).toMatchObject({ state: 'ready' });
  });
});

describe('a full disk', () => {
  it.skipIf(tinyDisk.skip)(
    'refuses a write that does not fit, and keeps all others',
    { timeout: 60_000 },
    async () => {
      using disk = mountTinyDisk('size=2m');
      const store = await openSqliteJobs(join(disk.folder, 'jobs.db'));
      try {
        const accepted: string[] = [];
        const fill = async () => {
          for (;;) accepted.push(await enqueueOne(store, { name: 'x'.repeat(2000) }));
        };
        await expect(fill()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
        expect(accepted.length).toBeGreaterThan(10);
        const { jobs } = await store.jobs({ limit: 10_000 });
        expect(jobs.map((each) => each.id).reverse()).toEqual(accepted);
        expect((await store.queues())[0]?.counts.ready).toBe(accepted.length);
      } finally {
        await store.close();
      }
    },
  );
});
