/**
 * Where the model of a version runs: in a thread of the node, which is cheapest and trusts the model
 * not to crash, loop or fill the memory, or in a process of its own, which trusts it with nothing.
 */
import { SkeinError, type DeploymentSettings } from '@skein/api';
import type { VersionRecord } from '@skein/state';

export type Isolation = 'thread' | 'process';

/** Whether its file comes from an author whom the operator does not trust; said when it was uploaded. */
export function isUntrusted({ metadata }: Pick<VersionRecord, 'metadata'>): boolean {
  return metadata['trust'] === 'untrusted';
}

/** @param isolateModels whether the node trusts no model at all. */
export function isolationOf(
  { isolation }: Pick<DeploymentSettings, 'isolation'>,
  record: Pick<VersionRecord, 'metadata'>,
  isolateModels: boolean,
): Isolation {
  if (isolateModels || isUntrusted(record)) return 'process';
  return isolation === 'process' ? 'process' : 'thread';
}

/** @throws SkeinError DEPLOYMENT_INVALID when the settings trust a version that is not to be trusted. */
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
