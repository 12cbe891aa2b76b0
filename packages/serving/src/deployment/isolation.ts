/**
 * Decides where the model of a version runs: in a thread of the node, which is cheapest but trusts
 * the model not to crash, loop or exhaust the memory, or in its own process, which needs no trust.
 */
import { SkeinError, type DeploymentSettings } from '@skein/api';
import type { VersionRecord } from '@skein/state';

export type Isolation = 'thread' | 'process';

/** Whether its upload was marked as coming from an untrusted author. */
export function isUntrusted({ metadata }: Pick<VersionRecord, 'metadata'>): boolean {
  return metadata['trust'] === 'untrusted';
}

/** @param isolateModels whether the node trusts no model. */
export function isolationOf(
  { isolation }: Pick<DeploymentSettings, 'isolation'>,
  record: Pick<VersionRecord, 'metadata'>,
  isolateModels: boolean,
): Isolation {
  if (isolateModels || isUntrusted(record)) return 'process';
  return isolation === 'process' ? 'process' : 'thread';
}

/** @throws SkeinError DEPLOYMENT_INVALID if the settings run an untrusted version in a thread. */
export function checkIsolation(
  { isolation }: Pick<DeploymentSettings, 'isolation'>,
  record: VersionRecord,
  isolateModels: boolean,
): void {
  if (isolation !== 'thread' || record.kind === 'composition') return;
  const why = isUntrusted(record)
    ? `version ${record.version} of "${record.model}" was uploaded as untrusted`
    : isolateModels
      ? 'the node was started with --isolate-models'
      : undefined;
  if (why === undefined) return;
  throw new SkeinError(
    'DEPLOYMENT_INVALID',
    `isolation is "thread", but ${why}: set it to "auto" or "process".`,
  );
}
