/**
 * The server-side functions of the shared state: one file per call in `scripts/`, and what they
 * share in `scripts/shared/`. Each write is one of them: it compares, writes, and adds to the
 * change feed.
 */
import { RETENTION } from '../retention.ts';
import type { Effect, Functions } from './server/library.ts';

/**
 * On a Redis whose memory is full members stay members, leases stay held, keys can be revoked and
 * deployments removed. Everything else that writes is refused.
 */
const EFFECTS = {
  'acquire-lease': 'frees',
  'add-audit': 'grows',
  'add-declaration': 'grows',
  'add-history': 'grows',
  'add-key': 'grows',
  'add-version': 'grows',
  audit: 'reads',
  'changes-after': 'reads',
  'claim-share': 'frees',
  create: 'grows',
  declarations: 'reads',
  deployment: 'reads',
  'deployment-revisions': 'reads',
  deployments: 'reads',
  finalise: 'frees',
  'give-back-budget': 'frees',
  history: 'reads',
  'history-after': 'reads',
  'join-member': 'frees',
  keys: 'reads',
  'lease-holder': 'reads',
  'leave-member': 'frees',
  members: 'reads',
  position: 'reads',
  'put-declaration': 'grows',
  'put-deployment': 'grows',
  'put-response': 'grows',
  'put-run': 'grows',
  'release-lease': 'frees',
  'remove-declaration': 'frees',
  'remove-deployment': 'frees',
  'remove-keys': 'frees',
  'remove-response': 'frees',
  'remove-responses': 'frees',
  'remove-run': 'frees',
  'remove-version': 'frees',
  'renew-lease': 'frees',
  'renew-member': 'frees',
  'response-chain': 'reads',
  restore: 'grows',
  'revoke-key': 'frees',
  run: 'reads',
  runs: 'reads',
  schema: 'reads',
  secret: 'grows',
  'share-claims': 'reads',
  sync: 'frees',
  'take-budget': 'grows',
  'taken-budget': 'reads',
  tombstones: 'reads',
  version: 'reads',
  'version-counters': 'reads',
  versions: 'reads',
} as const satisfies Readonly<Record<string, Effect>>;

export type FunctionName = keyof typeof EFFECTS;

export const STATE_FUNCTIONS: Functions<FunctionName> = {
  family: 'skein_state',
  folder: new URL('./scripts/', import.meta.url),
  constants: {
    CHANGES_KEPT: RETENTION.changes,
    HISTORY_KEPT: RETENTION.history,
    HISTORY_PER_KIND: RETENTION.historyPerKind,
    AUDIT_KEPT: RETENTION.audit,
    RUNS_KEPT: RETENTION.runs,
    REVISIONS_KEPT: RETENTION.deploymentRevisions,
  },
  shared: [
    'call',
    'change',
    'member',
    'lease',
    'share',
    'budget',
    'history',
    'audit',
    'run',
    'response',
  ],
  effects: EFFECTS,
};
