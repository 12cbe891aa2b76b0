/**
 * Decides what a node does so that its deployments become those that the fleet wants. Pure: the
 * same revisions, failures and time give the same actions, whatever order the changes arrived in.
 *
 * A deployment is compared by its place and its row, in both directions: an operator who adopts an older
 * store wants its older revisions. A failure holds back the row that failed and no other.
 */
import type { DeploymentRecord } from '@skein/state';
import type { Instant } from '../contract.ts';

/** Names a row. The revision alone does not: a store that was adopted counts again from an older one. */
export type RowId = Pick<DeploymentRecord, 'revision' | 'updatedAt'>;

export const isSameRow = (a: RowId | undefined, b: RowId | undefined): boolean =>
  a?.revision === b?.revision && a?.updatedAt === b?.updatedAt;

/** A deployment as the fleet wants it. */
export interface Wanted extends RowId {
  /** Whether this node holds it, or leaves it to other members. */
  readonly isHere: boolean;
}

/** A deployment as this node has it. */
export interface Actual extends Wanted {
  /** Revision of the stored row that it follows; 0: it was never stored. */
  readonly revision: number;
  /** The change in progress. Its end requires another decision. */
  readonly activity: 'none' | 'change' | 'rollout';
}

/** An attempt to follow a row that failed on this node. */
export interface Failure extends RowId {
  readonly attempts: number;
  readonly retryAt: Instant;
}

export interface Action {
  /** `interrupt`: end the rollout of this node, which another node's change has overtaken. */
  readonly kind: 'apply' | 'remove' | 'interrupt';
  readonly name: string;
}

export interface Decision {
  readonly actions: readonly Action[];
  /** When a failed attempt is due again; Infinity: none is. */
  readonly nextAt: Instant;
}

const FIRST_RETRY_MS = 1000;
/** The longest wait before a version is tried again: its artifact may have come back meanwhile. */
const LONGEST_RETRY_MS = 60_000;

/** @param desired the deployments that the fleet has. */
export function reconcile(
  desired: ReadonlyMap<string, Wanted>,
  actual: ReadonlyMap<string, Actual>,
  failures: ReadonlyMap<string, Failure>,
  now: Instant,
): Decision {
  const actions: Action[] = [];
  let nextAt = Infinity;
  const act = (kind: 'apply' | 'remove', name: string, activity: Actual['activity']): void => {
    if (activity === 'none') actions.push({ kind, name });
    else if (activity === 'rollout') actions.push({ kind: 'interrupt', name });
  };
  for (const [name, wanted] of desired) {
    const here = actual.get(name);
    const failure = failures.get(name);
    const failed = isSameRow(failure, wanted) ? failure : undefined;
    const isAsWanted = isSameRow(here, wanted) && here?.isHere === wanted.isHere;
    if (failed === undefined && isAsWanted) continue;
    if (failed !== undefined && now < failed.retryAt) nextAt = Math.min(nextAt, failed.retryAt);
    else act('apply', name, here?.activity ?? 'none');
  }
  for (const [name, { revision, activity }] of actual) {
    // A deployment that was never stored is one whose first version is loading.
    if (!desired.has(name) && revision > 0) act('remove', name, activity);
  }
  return { actions, nextAt };
}

/** The failure after one more attempt: the wait doubles with each. */
export function failedAgain(
  before: Failure | undefined,
  { revision, updatedAt }: RowId,
  now: Instant,
): Failure {
  const attempts = isSameRow(before, { revision, updatedAt }) ? before!.attempts + 1 : 1;
  const waitMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 16));
  return { revision, updatedAt, attempts, retryAt: now + waitMs };
}
