/**
 * Supervisors are killed with SIGKILL at random moments while they work, over and over, on both
 * stores. Everything that was accepted ends; each job succeeds once, by one attempt; and nothing
 * that an attempt left anywhere is signed by another.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@skein/onnx';
import { type ArtifactStore, openFileArtifacts } from '@skein/state';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { Job, JobSpec, JobState, JobStore } from '../contract.ts';
import { taskWork } from '../tasks/define-task.ts';
import { command, jobSpec } from '../worker/testing/worker-fixture.ts';
import { roundsOf, SEED } from './testing/fault-size.ts';
import { FAULT_STORES } from './testing/fault-stores.ts';
import { poison, signs } from './testing/fault-tasks.ts';
import { openStore } from './testing/worker-main.ts';
import { startWorkerProcess, type WorkerProcess } from './testing/worker-process.ts';

const TASKS = join(import.meta.dirname, 'testing/fault-tasks.ts');
const ENDED: readonly JobState[] = ['succeeded', 'failed', 'cancelled', 'dead'];
const ROUNDS = roundsOf(2);
const LEASE_MS = 1500;
const retry = { maxAttempts: 1000, backoffMs: 10, maxBackoffMs: 100 };
const resources = { cores: 1, memoryBytes: 2 ** 27 };

const signed = (ms: number, changes: Partial<JobSpec> = {}): JobSpec =>
  jobSpec(taskWork(signs, TASKS, { ms }), { retry, resources, ...changes });

/** A second that is known by its fraction, to be found among the processes. */
const sleeper = (mark: string) => ['sleep', `9${mark}`];
function isAlive(mark: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      const [program, seconds] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return program === 'sleep' && seconds === `9${mark}`;
    } catch {
      return false;
    }
  });
}

async function endOf(store: Pick<JobStore, 'job'>, id: string): Promise<Job> {
  for (;;) {
    const job = await store.job(id);
    if (job === undefined) throw new Error(`Job ${id} was lost.`);
    if (ENDED.includes(job.state)) return job;
    await sleep(50);
  }
}

/** The store as it is seen through a process. */
const through = (worker: WorkerProcess): Pick<JobStore, 'job' | 'log'> => ({
  job: (id) => worker.call('job', id),
  log: (...args) => worker.call('log', ...args),
});

/** Resolves when the job has been started at least once. */
async function started(store: Pick<JobStore, 'job'>, id: string): Promise<void> {
  const attempts = async () => (await store.job(id))?.attempts.length;
  await expect.poll(attempts, { timeout: 20_000 }).toBeGreaterThan(0);
}

/** One attempt succeeded, and every trace was left by the attempt that it should be from. */
async function checkSigned(
  store: Pick<JobStore, 'job' | 'log'>,
  artifacts: ArtifactStore,
  id: string,
): Promise<Job> {
  const job = await endOf(store, id);
  expect(job).toMatchObject({ id, state: 'succeeded' });
  const winners = job.attempts.filter(({ outcome }) => outcome === 'succeeded');
  expect(winners).toEqual([job.attempts.at(-1)]);
  const { number } = winners[0]!;
  expect(job.result?.value).toEqual({ attempt: number });
  const [output] = job.result!.outputs;
  const left: Uint8Array[] = [];
  for await (const chunk of artifacts.read(output!.digest)) left.push(chunk);
  expect(Buffer.concat(left).toString()).toBe(`${id} attempt ${number}`);
  for (const attempt of job.attempts) {
    const { chunk } = await store.log(id, attempt.number, 0, 1 << 20);
    const lines = new Set(Buffer.from(chunk).toString().split('\n').filter(Boolean));
    expect([...lines]).toEqual(lines.size === 0 ? [] : [`attempt ${attempt.number}`]);
  }
  return job;
}

describe.each(FAULT_STORES)(`kill -9 over $name, seed ${SEED}`, (faults) => {
  const limit = { timeout: 60_000 + ROUNDS * 10_000 };
  it('loses no job, commits no output twice, mixes no attempts', limit, async () => {
    await using place = await faults.open();
    const { store: at, blobs } = place;
    const random = seededRandom(SEED);
    const start = () =>
      startWorkerProcess({ store: at, blobs, leaseMs: LEASE_MS, isolated: false });
    const workers = await Promise.all(Array.from({ length: faults.workers }, start));
    const accepted: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const victim = Math.floor(random.next() * workers.length);
      const dying = workers[victim]!;
      const specs = [1200, 0, 0].map((ms) => signed(ms + Math.floor(random.next() * 400)));
      const enqueueing = dying.call('enqueue', specs).then((jobs) => {
        accepted.push(...jobs.map(({ id }) => id));
        return jobs[0]!.id;
      });
      // Every second kill happens in the middle of the work, the others at a random moment.
      if (round % 2 === 0) await started(through(dying), await enqueueing);
      await sleep(random.next() * 500);
      await dying.kill();
      await enqueueing.catch(() => undefined);
      workers[victim] = await start();
    }
    expect(accepted.length).toBeGreaterThan(ROUNDS);
    const store = through(workers[0]!);
    const artifacts = await openFileArtifacts(blobs, { shared: true });
    let attempts = 0;
    for (const id of accepted)
      attempts += (await checkSigned(store, artifacts, id)).attempts.length;
    // With a single worker, each of those kills cost one.
    if (workers.length === 1) expect(attempts).toBeGreaterThan(accepted.length);
    await Promise.all(workers.map((worker) => worker.kill()));
  });

  it('ends a poisoned job as dead, and other jobs continue', { timeout: 90_000 }, async () => {
    await using place = await faults.open();
    const options = { store: place.store, blobs: place.blobs, leaseMs: LEASE_MS, isolated: false };
    let worker = await startWorkerProcess(options);
    const [bad, good] = await worker.call('enqueue', [
      jobSpec(taskWork(poison, TASKS, {}), {
        retry: { ...retry, maxAttempts: 2 },
        resources: { cores: 4, memoryBytes: 2 ** 27 },
        priority: 10,
      }),
      signed(0),
    ]);
    for (let deaths = 0; deaths < 2; deaths++) {
      await worker.gone;
      worker = await startWorkerProcess(options);
    }
    const store = through(worker);
    expect(await endOf(store, good!.id)).toMatchObject({ state: 'succeeded' });
    const dead = await endOf(store, bad!.id);
    expect(dead).toMatchObject({ state: 'dead', cause: 'lease-lost' });
    expect(dead.attempts).toHaveLength(2);
    await worker.kill();
  });
});

describe('the work of a supervisor that was killed', () => {
  const cases = [
    {
      name: 'dies with it in isolation',
      isolated: true,
      skip: requireComponent('bubblewrap').skip,
    },
    {
      name: 'dies at the latest when the next one starts, without isolation',
      isolated: false,
      skip: false,
    },
  ];
  it.each(cases.filter(({ skip }) => !skip))('$name', { timeout: 90_000 }, async ({ isolated }) => {
    await using place = await FAULT_STORES[0]!.open();
    const options = { store: place.store, blobs: place.blobs, leaseMs: LEASE_MS, isolated };
    const mark = `${process.pid}.${Math.floor(Math.random() * 1e9)}`;
    const work = command(sleeper(mark), { trusted: !isolated });
    const worker = await startWorkerProcess(options);
    const [job] = await worker.call('enqueue', [
      jobSpec(work, { retry: { ...retry, maxAttempts: 1 } }),
    ]);
    await expect.poll(() => isAlive(mark), { timeout: 20_000 }).toBe(true);
    await worker.kill();
    if (isolated) await expect.poll(() => isAlive(mark), { timeout: 20_000 }).toBe(false);
    const next = await startWorkerProcess(options);
    await expect.poll(() => isAlive(mark), { timeout: 20_000 }).toBe(false);
    expect(await endOf(through(next), job!.id)).toMatchObject({
      state: 'dead',
      cause: 'lease-lost',
    });
    await next.kill();
  });
});

describe.each(FAULT_STORES.filter(({ shared }) => shared))(
  'a supervisor that was only asleep, over $name',
  (faults) => {
    it('finds its attempt taken over, and can write nothing', { timeout: 60_000 }, async () => {
      await using place = await faults.open();
      const options = {
        store: place.store,
        blobs: place.blobs,
        leaseMs: LEASE_MS,
        isolated: false,
      };
      const store = await openStore(place.store);
      const sleepy = await startWorkerProcess(options);
      const [job] = await store.enqueue([signed(2500)]);
      await expect
        .poll(async () => (await store.job(job!.id))?.progress?.message)
        .toBe('attempt 1');
      sleepy.freeze();
      const other = await startWorkerProcess(options);
      await expect
        .poll(async () => (await store.job(job!.id))?.progress?.message, { timeout: 20_000 })
        .toBe('attempt 2');
      const frozen = await store.log(job!.id, 1, 0, 1 << 20);
      const before = await store.job(job!.id);
      sleepy.thaw();
      const ended = await endOf(store, job!.id);
      expect(ended).toMatchObject({ state: 'succeeded', result: { value: { attempt: 2 } } });
      expect(ended.attempts.map(({ outcome }) => outcome)).toEqual(['lease-lost', 'succeeded']);
      expect(ended.attempts[0]).toEqual(before!.attempts[0]);
      expect((await store.log(job!.id, 1, 0, 1 << 20)).size).toBe(frozen.size);
      const { chunk } = await store.log(job!.id, 2, 0, 1 << 20);
      expect(Buffer.from(chunk).toString()).not.toContain('attempt 1');
      // The frozen process continues and does not know that its lease was lost.
      await other.kill();
      const [next] = await store.enqueue([signed(0)]);
      expect((await endOf(store, next!.id)).attempts[0]!.worker).toBe(sleepy.worker);
      await sleepy.kill();
      await store.close();
    });
  },
);
