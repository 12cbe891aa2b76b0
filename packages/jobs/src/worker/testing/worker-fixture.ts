/** A store, artifacts and workers in this process, for tests of workers. */
import { join } from 'node:path';
import type { SandboxDriver } from '@skein/sandbox';
import { type ArtifactStore, openFileArtifacts } from '@skein/state';
import type { Job, JobSpec, JobState, JobStore } from '../../contract.ts';
import { openSqliteJobs } from '../../store/sqlite/sqlite-jobs.ts';
import { taskWork, type Task } from '../../tasks/define-task.ts';
import type { CommandWork, TaskWork, WorkLimits } from '../../work.ts';
import type { Worker, WorkerOptions } from '../contract.ts';
import { startWorker } from '../worker.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

export const TEST_TASKS = join(import.meta.dirname, 'test-tasks.ts');

const MIB = 2 ** 20;
const ENDED: readonly JobState[] = ['succeeded', 'failed', 'cancelled', 'dead'];

export function jobSpec(work: JobSpec['work'], changes: Partial<JobSpec> = {}): JobSpec {
  return {
    queue: 'default',
    tenant: 'tests',
    name: work.kind === 'task' ? work.task : work.argv[0]!,
    work,
    priority: 0,
    resources: { cores: 1, memoryBytes: 128 * MIB },
    requires: [],
    retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 },
    parents: [],
    retentionMs: 3_600_000,
    ...changes,
  };
}

export function command(
  argv: readonly string[],
  changes: Partial<Omit<CommandWork, 'kind' | 'argv'>> = {},
): CommandWork {
  return { kind: 'command', argv, inputs: [], outputs: [], limits: {}, ...changes };
}

export function testTask(task: Task, input: unknown = {}, limits: WorkLimits = {}): TaskWork {
  return taskWork(task, TEST_TASKS, input, limits);
}

export interface WorkerFixture extends AsyncDisposable {
  readonly folder: string;
  readonly store: JobStore;
  readonly artifacts: ArtifactStore;
  start(changes?: Partial<WorkerOptions>): Promise<Worker>;
  enqueue(work: JobSpec['work'], changes?: Partial<JobSpec>): Promise<Job>;
  enqueueAll(
    jobs: readonly { work: JobSpec['work']; changes?: Partial<JobSpec> }[],
  ): Promise<Job[]>;
  /** Resolves when the job matches; follows its events, so no state is missed. */
  until(id: string, condition: (job: Job) => boolean): Promise<Job>;
  ended(id: string): Promise<Job>;
  /** Enqueues and waits for the end. */
  run(work: JobSpec['work'], changes?: Partial<JobSpec>): Promise<Job>;
  logOf(id: string, attempt?: number): Promise<string>;
  /** The log messages of the workers. */
  readonly notes: string[];
}

export async function workerFixture(
  options: { store?: JobStore; sandboxes?: readonly SandboxDriver[] } = {},
): Promise<WorkerFixture> {
  const folder = testFolder();
  const store = options.store ?? (await openSqliteJobs(join(folder, 'jobs.db')));
  const artifacts = await openFileArtifacts(join(folder, 'artifacts'), { shared: true });
  const workers: Worker[] = [];
  const notes: string[] = [];

  const fixture: WorkerFixture = {
    folder,
    store,
    artifacts,
    notes,
    async start(changes = {}) {
      const worker = await startWorker({
        store,
        artifacts,
        sandboxes: options.sandboxes ?? [],
        queues: ['default'],
        capacity: { cores: 2, memoryBytes: 1024 * MIB },
        graceMs: 2000,
        log: (level, message, details) =>
          notes.push(`${level} ${message} ${JSON.stringify(details ?? {})}`),
        ...changes,
      });
      workers.push(worker);
      return worker;
    },
    async enqueue(work, changes) {
      const [job] = await store.enqueue([jobSpec(work, changes)]);
      return job!;
    },
    enqueueAll: (specs) => store.enqueue(specs.map(({ work, changes }) => jobSpec(work, changes))),
    async until(id, condition) {
      const stop = new AbortController();
      try {
        // Follow from the first event on: the job may match already.
        for await (const _ of store.events({ job: id, after: 0 }, stop.signal)) {
          const job = await store.job(id);
          if (job !== undefined && condition(job)) return job;
        }
      } finally {
        stop.abort();
      }
      throw new Error(`The events of job ${id} have ended.`);
    },
    ended: (id) => fixture.until(id, ({ state }) => ENDED.includes(state)),
    async run(work, changes) {
      return fixture.ended((await fixture.enqueue(work, changes)).id);
    },
    async logOf(id, attempt = 1) {
      const parts: Uint8Array[] = [];
      for (let offset = 0; ;) {
        const { chunk } = await store.log(id, attempt, offset, MIB);
        if (chunk.byteLength === 0) return Buffer.concat(parts).toString();
        parts.push(chunk);
        offset += chunk.byteLength;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.drain(0)));
      await store.close();
    },
  };
  return fixture;
}
