/** One attempt of a task of Skein itself, in the worker's own process. */
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { SkeinError, validate } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import type { Answer, Ask, Engines } from '@skein/data';
import type { Job, JobStore, Outcome } from '../contract.ts';
import type { Copies } from '../map/remote/copies.ts';
import { refuseStale, whileHeld, type AttemptTools } from '../worker/attempt/attempt-tools.ts';
import { failureFrom } from '../worker/attempt/outcome.ts';
import { throughOutage } from '../worker/attempt/through-outage.ts';
import { freeOf } from '../worker/capacity.ts';
import { DEFAULT_LIMITS } from '../worker/limits.ts';
import type { TaskWork, WorkResult } from '../work.ts';
import type { Builtin, BuiltinContext } from './builtin.ts';
import { createTaskJobs } from './task-jobs.ts';

/** The longest delay of a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A large result is stored with a third less processor time than in Node's chunks of 64 KiB. */
const CHUNK_BYTES = 256 * 1024;

type Outputs = WorkResult['outputs'][number][];

/**
 * @param folder for the attempt alone; made and removed here.
 * @throws StaleAttempt when the lease ended.
 */
export async function attemptBuiltin(
  task: Builtin,
  work: TaskWork,
  folder: string,
  tools: AttemptTools,
  { engines, copies }: { readonly engines: Engines; readonly copies: Copies },
): Promise<Outcome> {
  const { lease } = tools;
  const { wallMs = DEFAULT_LIMITS.wallMs } = work.limits;
  const late = AbortSignal.timeout(Math.min(wallMs, LONGEST_TIMER_MS));
  const leaving = new AbortController();
  const signal = AbortSignal.any([lease.ended, lease.preempted, late, leaving.signal]);
  const outputs: Outputs = [];
  const startedAt = performance.now();
  const used = { peakMemoryBytes: 0 };
  const held: (() => Promise<void>)[] = [];
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const input = validate(task.input, work.input, `The input of task "${task.name}"`);
    const context: BuiltinContext = {
      ...contextOf(folder, outputs, signal, tools, engines, used),
      async remote(file, access) {
        const copy = await copies.use(tools.claim.job.tenant, file, access, signal);
        held.push(copy.release);
        return copy;
      },
    };
    const value: unknown = await task.run(input, context);
    refuseStale(lease);
    const wallMs = performance.now() - startedAt;
    const usage = used.peakMemoryBytes > 0 ? { wallMs, ...used } : { wallMs };
    return { kind: 'succeeded', result: { value: task.output.parse(value), outputs }, usage };
  } catch (error) {
    refuseStale(lease);
    if (lease.preempted.aborted) return failure('preempted', 'Preempted.');
    if (late.aborted) return failure('timeout', `Task "${task.name}" ran for its ${wallMs} ms.`);
    const isFinal = error instanceof SkeinError && error.row.kind === 'user';
    if (isFinal) return failure('error', error.message, false);
    return failureFrom(error);
  } finally {
    leaving.abort();
    for (const release of held) await release();
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

const failure = (
  cause: 'preempted' | 'timeout' | 'error',
  message: string,
  retryable = true,
): Outcome => ({ kind: 'failed', cause, message, retryable });

function contextOf(
  folder: string,
  outputs: Outputs,
  signal: AbortSignal,
  { claim, lease, store, artifacts, log, progress }: AttemptTools,
  engines: Engines,
  used: { peakMemoryBytes: number },
): Omit<BuiltinContext, 'remote'> {
  const { job, attempt } = claim;
  const ask = engines.of(job.tenant);
  const note = (line: string): void => void log.write(Buffer.from(`${line}\n`));
  /** Opened anew after an outage. */
  const keep = (open: () => AsyncIterable<Uint8Array>) =>
    throughOutage(() => artifacts.put(whileHeld(lease, open()), Number.POSITIVE_INFINITY), lease);
  const workers = async () =>
    (await store.workers()).filter(
      ({ queues, mode }) => mode === 'open' && queues.includes(job.queue),
    );
  return {
    job: job.id,
    attempt,
    signal,
    folder,
    log: note,
    progress: (fraction, message = '') => progress.report({ fraction, message }),
    ask: (async (name, given, options) => {
      const answer: unknown = await ask(name, given, { ...options, signal });
      const { peakBytes = 0 } = answer as Partial<Answer<unknown>>;
      used.peakMemoryBytes = Math.max(used.peakMemoryBytes, peakBytes);
      return answer;
    }) as Ask,
    workers,
    async attempts(ids) {
      const now = await store.now();
      const jobs = await Promise.all(ids.map((id) => store.job(id)));
      return jobs.map((each) => {
        const { worker, startedAt, endedAt = now } = each?.attempts.at(-1) ?? {};
        const ms = startedAt === undefined ? undefined : endedAt - startedAt;
        if (each === undefined || hasEnded(each.state)) return { state: 'ended', worker, ms };
        return { state: each.state === 'running' ? 'running' : 'waiting', worker, ms };
      });
    },
    async free(labels) {
      const able = (await workers()).filter((each) =>
        labels.every((label) => each.labels.includes(label)),
      );
      return freeOf(able, await runningJobs(store));
    },
    async fractions(ids) {
      const jobs = await Promise.all(ids.map((id) => store.job(id)));
      return jobs.map((each) =>
        each === undefined || hasEnded(each.state) ? 1 : (each.progress?.fraction ?? 0),
      );
    },
    jobs: createTaskJobs(store, job, signal),
    artifacts: {
      pathOf: (digest) => artifacts.pathOf(digest),
      async put(content, path) {
        const stored = await keep(() => Readable.from([content]));
        if (path !== undefined) outputs.push({ path, ...stored });
        return stored;
      },
      putFile: (file) => keep(() => createReadStream(file, { highWaterMark: CHUNK_BYTES })),
    },
  };
}

const PAGE = 500;

async function runningJobs(store: JobStore): Promise<Job[]> {
  const found: Job[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.jobs({ state: 'running', limit: PAGE, after });
    found.push(...page.jobs);
    if (page.next === undefined) return found;
    after = page.next;
  }
}
