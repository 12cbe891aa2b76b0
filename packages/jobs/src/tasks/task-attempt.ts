/**
 * One attempt of a task: its thread under the limits that a thread can enforce, which are wall
 * time, cpu time, and the memory of the JavaScript heap. Buffers outside the heap are not counted:
 * a task is trusted code.
 */
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import { WorkerLost } from '@skein/calls';
import type { Outcome } from '../contract.ts';
import { refuseStale, whileHeld, type AttemptTools } from '../worker/attempt/attempt-tools.ts';
import { DEFAULT_LIMITS } from '../worker/limits.ts';
import { refusal } from '../worker/attempt/outcome.ts';
import { throughOutage } from '../worker/attempt/through-outage.ts';
import type { TaskWork, WorkResult } from '../work.ts';
import type { TaskAnswer, TaskEnd, TaskRequest } from './messages.ts';
import { createTaskJobs, type TaskJobs } from './task-jobs.ts';
import { startTaskThread, type TaskThread } from './task-thread.ts';

type Failure = Extract<Outcome, { kind: 'failed' }>;

const MIB = 2 ** 20;
/** How often cpu time is read, in milliseconds. */
const LOOK_EVERY_MS = 200;
/** The longest delay of a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * @param folder for the attempt alone; made and removed here.
 * @throws StaleAttempt when the lease ended; SkeinError ARTIFACT_CORRUPT for a bundled module.
 */
export async function attemptTask(
  work: TaskWork,
  folder: string,
  tools: AttemptTools,
): Promise<Outcome> {
  const { claim, lease, log, progress } = tools;
  if (!tools.trusts)
    return refusal('This worker runs no trusted work, and a task is trusted work.');
  const memoryBytes = work.limits.memoryBytes ?? claim.job.resources.memoryBytes;
  const heapMib = Math.max(8, Math.floor(memoryBytes / MIB));
  const outputs: WorkResult['outputs'][number][] = [];
  const leaving = new AbortController();
  const jobs = createTaskJobs(
    tools.store,
    claim.job,
    AbortSignal.any([lease.ended, leaving.signal]),
  );
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const modulePath = await moduleOf(work, folder, tools);
    refuseStale(lease);
    const startedAt = performance.now();
    const thread = startTaskThread({
      heapMib,
      data: {
        modulePath,
        task: work.task,
        input: work.input,
        job: claim.job.id,
        attempt: claim.attempt,
        checkpoint: claim.job.checkpoint,
        folder,
      },
      serves: {
        progress: (report) => progress.report(report),
        ask: (request) => perform(request, outputs, jobs, tools),
      },
    });
    const copy = async (stream: Readable): Promise<void> => {
      for await (const chunk of stream) await log.write(chunk as Uint8Array);
    };
    const reading = Promise.all([copy(thread.stdout), copy(thread.stderr)]);
    const { ending, cpuMs, overrun } = await watch(thread, work, tools);
    await reading;
    refuseStale(lease);

    const wallMs = performance.now() - startedAt;
    const usage = cpuMs === undefined ? { wallMs } : { wallMs, cpuMs };
    if ('kind' in ending && ending.kind === 'done') {
      const value: unknown = readJson(ending.json, JSON_BOUNDS.stored);
      return { kind: 'succeeded', result: { value, outputs }, usage };
    }
    return { ...failureOf(work, ending, overrun, lease.preempted.aborted, heapMib), usage };
  } finally {
    leaving.abort();
    // A process that the task has left behind may still write while it is being killed.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** @throws SkeinError REQUEST_INVALID when the worker offers no such task. */
async function moduleOf(
  { module, task }: TaskWork,
  folder: string,
  { artifacts, offeredTasks }: AttemptTools,
): Promise<string> {
  if ('path' in module) return module.path;
  if ('offered' in module) {
    const offered = offeredTasks.get(task);
    if (offered !== undefined) return offered;
    throw new SkeinError(
      'REQUEST_INVALID',
      `This worker offers no task "${task}"; the job should require the label task:${task}.`,
    );
  }
  const path = join(folder, 'module.mjs');
  await copyFile(await artifacts.pathOf(module.digest), path);
  return path;
}

/** Serves the requests of the task, under its lease. */
async function perform(
  request: TaskRequest,
  outputs: WorkResult['outputs'][number][],
  jobs: TaskJobs,
  { artifacts, lease, saveCheckpoint }: AttemptTools,
): Promise<TaskAnswer> {
  refuseStale(lease);
  switch (request.ask) {
    case 'path':
      return artifacts.pathOf(request.digest);
    case 'enqueue':
      return jobs.enqueue(request.jobs);
    case 'wait':
      return jobs.waitForAny(request.ids);
    case 'revive':
      await jobs.revive(request.ids);
      return true;
    case 'cancel':
      await jobs.cancel(request.ids, request.reason);
      return true;
    default:
      return keep(request, outputs, { artifacts, lease, saveCheckpoint });
  }
}

/** Stores content, and remembers it where the job does. */
async function keep(
  request: Extract<TaskRequest, { file: string }>,
  outputs: WorkResult['outputs'][number][],
  {
    artifacts,
    lease,
    saveCheckpoint,
  }: Pick<AttemptTools, 'artifacts' | 'lease' | 'saveCheckpoint'>,
): Promise<TaskAnswer> {
  const stored = await throughOutage(() => {
    const content = createReadStream(request.file) as AsyncIterable<Uint8Array>;
    return artifacts.put(whileHeld(lease, content), Number.POSITIVE_INFINITY);
  }, lease);
  if (request.ask === 'put') {
    if (request.path !== undefined) outputs.push({ path: request.path, ...stored });
    return stored;
  }
  if (!(await saveCheckpoint(stored.digest))) refuseStale(lease);
  return stored.digest;
}

/** Ends the thread when its lease or a limit requires it. @returns when the thread has exited. */
async function watch(
  thread: TaskThread,
  { limits, task }: TaskWork,
  { lease, graceMs }: AttemptTools,
): Promise<{
  ending: TaskEnd | WorkerLost;
  /** The time that the thread has reported at its end; else the last measured one. */
  cpuMs: number | undefined;
  overrun: string | undefined;
}> {
  const { cpuMs: mostCpuMs = Number.POSITIVE_INFINITY, wallMs = DEFAULT_LIMITS.wallMs } = limits;
  let cpuMs: number | undefined;
  let overrun: string | undefined;
  let killer: NodeJS.Timeout | undefined;
  const over = (what: string): void => {
    overrun ??= `Task "${task}" ${what}.`;
    thread.kill();
  };
  const stop = (): void => {
    thread.stop();
    killer = setTimeout(thread.kill, graceMs);
  };
  const look = async (): Promise<void> => {
    cpuMs = await thread.cpuMs().catch(() => cpuMs);
    if (cpuMs !== undefined && cpuMs > mostCpuMs) over(`used its ${mostCpuMs} ms of cpu time`);
  };
  lease.ended.addEventListener('abort', thread.kill, { once: true });
  lease.preempted.addEventListener('abort', stop, { once: true });
  if (lease.ended.aborted) thread.kill();
  else if (lease.preempted.aborted) stop();
  const wall = setTimeout(
    () => over(`ran for its ${wallMs} ms`),
    Math.min(wallMs, LONGEST_TIMER_MS),
  );
  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  try {
    const ending = await thread.ended;
    const reported = 'cpuMs' in ending ? ending.cpuMs : undefined;
    return { ending, cpuMs: reported ?? cpuMs, overrun };
  } finally {
    clearTimeout(killer);
    clearTimeout(wall);
    clearInterval(looking);
    lease.ended.removeEventListener('abort', thread.kill);
    lease.preempted.removeEventListener('abort', stop);
  }
}

function failureOf(
  { task }: TaskWork,
  ending: Exclude<TaskEnd, { kind: 'done' }> | WorkerLost,
  overrun: string | undefined,
  preempted: boolean,
  heapMib: number,
): Failure {
  const failed = (cause: Failure['cause'], message: string, retryable = true): Failure => ({
    kind: 'failed',
    cause,
    message,
    retryable,
  });
  if (overrun !== undefined) return failed('timeout', overrun);
  const lost = ending instanceof WorkerLost;
  if (lost && ending.reason === 'memory') {
    return failed('out-of-memory', `Task "${task}" needed more than its ${heapMib} MiB of heap.`);
  }
  if (preempted) return failed('preempted', 'Preempted; its last saved state is its checkpoint.');
  if (!lost) return failed('error', ending.message, ending.retryable);
  const { cause, message } = ending;
  return failed('error', cause instanceof Error ? cause.message : message);
}
