/**
 * The parts of the worker that an attempt uses; every write through them carries the attempt's
 * token.
 */
import type { ArtifactStore } from '@skein/state';
import type { Claim, JobStore } from '../../contract.ts';
import type { SandboxOffer, WorkerLog } from '../contract.ts';
import type { Lease } from '../lease.ts';
import type { LogWriter } from './log-writer.ts';
import type { ProgressReporter } from './progress-reporter.ts';

export interface AttemptTools {
  readonly claim: Claim;
  readonly lease: Lease;
  readonly store: JobStore;
  readonly artifacts: ArtifactStore;
  readonly log: LogWriter;
  readonly progress: ProgressReporter;
  /** Makes an artifact the job's checkpoint. @returns false when the attempt is stale. */
  readonly saveCheckpoint: (digest: string) => Promise<boolean>;
  readonly sandboxes: readonly SandboxOffer[];
  readonly trusts: boolean;
  /** Paths of the modules that the worker was started with, by the names of their tasks. */
  readonly offeredTasks: ReadonlyMap<string, string>;
  readonly graceMs: number;
  /** For the operator of the worker, not for the job. */
  readonly note: WorkerLog;
}

/**
 * Thrown when an attempt tries to write after its lease has ended: none of its writes may be kept.
 */
export class StaleAttempt extends Error {
  override readonly name = 'StaleAttempt';
}

/** Passes content on for as long as the lease lives. @throws StaleAttempt. */
export async function* whileHeld(
  lease: Lease,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    refuseStale(lease);
    yield chunk;
  }
  refuseStale(lease);
}

export function refuseStale(lease: Lease): void {
  if (lease.ended.aborted) throw new StaleAttempt(`The lease ${lease.token} has ended.`);
}
