/**
 * One attempt from its claim to its outcome. The outcome is reported once, under a token that the
 * store may have made stale meanwhile, and the resources of the work are freed in every case.
 */
import { join } from 'node:path';
import type { Engines } from '@skein/data';
import type { SandboxDriver } from '@skein/sandbox';
import type { ArtifactHoldings } from '../../artifact-holdings.ts';
import type { Claim, JobStore, Outcome } from '../../contract.ts';
import type { Copies } from '../../map/remote/copies.ts';
import type { Builtin } from '../../tasks/builtin.ts';
import { attemptBuiltin } from '../../tasks/builtin-attempt.ts';
import { attemptTask } from '../../tasks/task-attempt.ts';
import type { TaskWork } from '../../work.ts';
import { refuseStale, StaleAttempt, type AttemptTools } from './attempt-tools.ts';
import { attemptCommand } from './command-attempt.ts';
import type { SandboxOffer, WorkerLog } from '../contract.ts';
import type { Lease, LeaseEnd } from '../lease.ts';
import { createLogWriter } from './log-writer.ts';
import { failureFrom } from './outcome.ts';
import { persist } from '../persist.ts';
import { createProgressReporter } from './progress-reporter.ts';
import { isArtifactOutage, throughOutage } from './through-outage.ts';

/** The parts of a worker that all of its attempts share. */
export interface WorkerContext {
  readonly store: JobStore;
  readonly holdings: Pick<ArtifactHoldings, 'of'>;
  readonly drivers: readonly SandboxDriver[];
  readonly sandboxes: readonly SandboxOffer[];
  readonly trusts: boolean;
  readonly offeredTasks: ReadonlyMap<string, string>;
  /** Tasks of Skein itself, by their names; none where no trusted work runs. */
  readonly builtins: ReadonlyMap<string, Builtin>;
  readonly engines: Engines;
  /** Local copies of remote files. */
  readonly copies: Copies;
  readonly graceMs: number;
  readonly maxLogBytes: number;
  /** Folder for the folders of attempts. */
  readonly folder: string;
  readonly log: WorkerLog;
  /** Aborted when the worker closes and no longer reports outcomes. */
  readonly closing: AbortSignal;
}

/** Work that has ended, and the writes that the store does not have yet. */
export interface EndedWork {
  /** Absent when there is no outcome to report: the lease is lost. */
  readonly outcome: Outcome | undefined;
  /** Writes the rest of the log and the progress to the store, for as long as the lease lives. */
  readonly flush: () => Promise<void>;
}

/** Does the work. Never rejects. */
export async function runAttempt(
  claim: Claim,
  lease: Lease,
  context: WorkerContext,
): Promise<EndedWork> {
  const { store, log: note } = context;
  const { job, token } = claim;
  const details = { job: job.id, name: job.name, attempt: claim.attempt, token };
  // When the store calls a token stale, its lease is lost, whatever the last renewal returned.
  const stale = new AbortController();
  const ended = AbortSignal.any([lease.ended, stale.signal]);
  const held: Lease = { ...lease, ended };
  const onStale = (): void => stale.abort('lost' satisfies LeaseEnd);
  // The log of ended work is written for as long as the store accepts it; a lease that may be lost
  // ends only running work.
  const givenUp = new AbortController();
  const giveUp = (): void => givenUp.abort();
  ended.addEventListener('abort', giveUp, { once: true });
  const writing = AbortSignal.any([givenUp.signal, stale.signal, context.closing]);

  const log = createLogWriter({
    append: (offset, chunk) => store.appendLog(token, offset, chunk),
    maxBytes: context.maxLogBytes,
    signal: writing,
    onStale,
  });
  const progress = createProgressReporter({
    write: ({ fraction, message }) => store.progress(token, fraction, message),
    signal: writing,
    onStale,
  });
  const artifacts = context.holdings.of(job.tenant);
  let logged: string | undefined;
  /** Logs for the operator what an attempt waits for. */
  async function noted<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      if (isArtifactOutage(error) && error.code !== logged) {
        logged = error.code;
        const reason = error.message;
        note('warn', 'An attempt waits for its artifacts.', { ...details, reason });
      }
      throw error;
    }
  }
  const tools: AttemptTools = {
    claim,
    lease: held,
    store,
    artifacts: {
      ...artifacts,
      put: (content, maxBytes) => noted(artifacts.put(content, maxBytes)),
      pathOf: (digest) => throughOutage(() => noted(artifacts.pathOf(digest)), held),
    },
    log,
    progress,
    async saveCheckpoint(digest) {
      const kept = await persist(() => store.saveCheckpoint(token, digest), ended);
      if (kept === false) onStale();
      return kept === true;
    },
    sandboxes: context.sandboxes,
    trusts: context.trusts,
    offeredTasks: context.offeredTasks,
    graceMs: context.graceMs,
    note,
  };

  const flush = async (): Promise<void> => {
    await log.end();
    await progress.end();
  };

  note('info', 'Attempt started.', details);
  let outcome: Outcome;
  try {
    const { work } = job;
    outcome =
      work.kind === 'command'
        ? await attemptCommand(work, context.drivers, tools)
        : await attemptTaskOf(work, join(context.folder, String(token)), tools, context);
    refuseStale(held);
  } catch (error) {
    if (ended.aborted) {
      note('info', 'Attempt stopped.', { ...details, why: String(ended.reason) });
      const cancelled = ended.reason === ('cancel' satisfies LeaseEnd);
      return { outcome: cancelled ? CANCELLED : undefined, flush };
    }
    if (!(error instanceof StaleAttempt))
      note('warn', 'Attempt failed.', { ...details, err: error });
    outcome = isArtifactOutage(error) && held.preempted.aborted ? PREEMPTED : failureFrom(error);
  }
  ended.removeEventListener('abort', giveUp);
  return { outcome, flush };
}

function attemptTaskOf(
  work: TaskWork,
  folder: string,
  tools: AttemptTools,
  { builtins, engines, copies }: WorkerContext,
): Promise<Outcome> {
  const builtin = 'offered' in work.module ? builtins.get(work.task) : undefined;
  if (builtin === undefined) return attemptTask(work, folder, tools);
  return attemptBuiltin(builtin, work, folder, tools, { engines, copies });
}

const PREEMPTED: Outcome = {
  kind: 'failed',
  cause: 'preempted',
  message: 'Preempted while the store of artifacts was away.',
  retryable: true,
};

const CANCELLED: Outcome = {
  kind: 'failed',
  cause: 'cancelled',
  message: 'Cancelled while it ran.',
  retryable: false,
};

/**
 * Reports the outcome until the store answers. A lost answer causes no second outcome: the token is
 * stale once the first one was accepted.
 */
export async function reportOutcome(
  { job, token, attempt }: Claim,
  { outcome, flush }: EndedWork,
  { store, log, closing }: Pick<WorkerContext, 'store' | 'log' | 'closing'>,
): Promise<void> {
  // Before the outcome, which makes the token stale.
  await flush();
  if (outcome === undefined) return;
  const details = {
    job: job.id,
    name: job.name,
    attempt,
    outcome: outcome.kind === 'succeeded' ? outcome.kind : outcome.cause,
    ...(outcome.kind === 'failed' ? { message: outcome.message } : {}),
  };
  try {
    const answered = await persist(
      async () => ({ state: await store.finish(token, outcome) }),
      closing,
    );
    if (answered === undefined)
      log('warn', 'The outcome was not reported: the store is away.', details);
    else if (answered.state === undefined) log('info', 'Attempt was stale at its end.', details);
    else log('info', 'Attempt ended.', { ...details, state: answered.state });
  } catch (error) {
    log('error', 'The store refused an outcome.', { ...details, err: error });
  }
}
