/**
 * A worker that judges: the job plane's worker with the judge's tasks, and with a label for each
 * toolchain of its sandboxes, so that a submission in Rust is given to a worker with a Rust
 * compiler.
 */
import { usableThreads } from '@skein/api/machine';
import { startWorker, type Worker, type WorkerOptions } from '@skein/jobs';
import { judgeCacheFolder, packagesIn } from '../../judging/cache-folder.ts';
import type { JudgeSandboxFacts } from '../../judging/judge-sandbox.ts';
import { machineCeilings } from '../../judging/limits.ts';
import { type GuestOptions, prepareGuests } from './guests.ts';
import { JUDGE_TASKS } from './judge-tasks.ts';
import { removeUnusedPackages } from './package-cache.ts';

export const JUDGE_QUEUE = 'judge';

export const LANGUAGE_LABEL = 'language:';

export interface JudgeWorkerOptions
  extends
    GuestOptions,
    Pick<WorkerOptions, 'store' | 'artifacts' | 'name' | 'leaseMs' | 'graceMs' | 'ending' | 'log'> {
  /** Submissions that are judged at once. Default: one per core, minus one. */
  readonly parallel?: number | undefined;
}

export interface JudgeWorker extends Worker {
  readonly facts: JudgeSandboxFacts;
}

/**
 * @throws SkeinError JUDGE_SANDBOX when no sandbox here may run untrusted programs; the reason of `ending`.
 */
export async function startJudgeWorker(options: JudgeWorkerOptions): Promise<JudgeWorker> {
  const { store, artifacts, log } = options;
  const onFilling = (message: string): void => log?.('info', message, {});
  const facts = await prepareGuests({ onFilling, ...options });
  const cacheFolder = options.cacheFolder ?? judgeCacheFolder();
  await removeUnusedPackages(packagesIn(cacheFolder), Date.now());
  const languages = [...facts.toolchains].filter(([, toolchain]) => toolchain.available);
  const worker = await startWorker({
    store,
    artifacts,
    // Its tasks open sandboxes themselves; a command that another client enqueues is refused.
    sandboxes: [],
    queues: [JUDGE_QUEUE],
    capacity: {
      cores: options.parallel ?? defaultParallel(),
      memoryBytes: machineCeilings().memoryBytes,
    },
    labels: languages.map(([code]) => LANGUAGE_LABEL + code),
    taskModules: [JUDGE_TASKS],
    name: options.name,
    leaseMs: options.leaseMs,
    graceMs: options.graceMs,
    ending: options.ending,
    log,
  });
  return { ...worker, facts };
}

/** One core is left for other processes, so that measured times are stable. */
function defaultParallel(): number {
  return Math.max(1, usableThreads() - 1);
}
