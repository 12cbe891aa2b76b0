import type { Records } from './contract.ts';

/**
 * Every method of the records. `write`: it decides something for the whole fleet. All but those that
 * read may add to the change feed. A missing one does not compile.
 */
export const RECORD_METHODS = {
  addVersion: 'write',
  versions: 'read',
  version: 'read',
  removeVersion: 'write',
  deployments: 'read',
  deployment: 'read',
  putDeployment: 'write',
  deploymentRevisions: 'read',
  removeDeployment: 'write',
  tombstones: 'read',
  addHistory: 'note',
  history: 'read',
  historyAfter: 'read',
  putRun: 'write',
  runs: 'read',
  run: 'read',
  removeRun: 'write',
  addKey: 'write',
  keys: 'read',
  revokeKey: 'write',
  removeKeys: 'write',
  putDeclaration: 'write',
  addDeclaration: 'write',
  declarations: 'read',
  removeDeclaration: 'write',
  addAudit: 'note',
  audit: 'read',
  versionCounters: 'read',
  restore: 'write',
} as const satisfies Record<keyof Records, 'read' | 'note' | 'write'>;
