/**
 * The loop around `reconcile.ts`: it makes the deployments of this node equal the fleet's, and
 * tries again what failed. It makes no decisions of its own.
 *
 * Each deployment changes alone: one that loads for minutes, or fails, delays no other. A
 * composition waits for the deployments that it calls where they change at the same time.
 */
import type { ServingContext } from '../context.ts';
import { exclusively } from '../changes/exclusive.ts';
import { canJoin, joinRollout } from '../rollout/join-rollout.ts';
import { abandon, adopt } from './adopt.ts';
import type { DesiredDeployment, Place } from './placing.ts';
import {
  type Action,
  type Actual,
  failedAgain,
  type Failure,
  reconcile,
  type Wanted,
} from './reconcile.ts';
import { placesOf } from './residence.ts';

/** The fleet's wanted deployments, as last read by this node. */
export interface DesiredDeployments {
  current(): readonly DesiredDeployment[];
  /** @returns ends the subscription. */
  onChange(listener: () => void): () => void;
  /** @throws SkeinError when deployments cannot be changed now. */
  mayChange(): void;
}

export interface Follower {
  /** Starts to follow; deployments that failed to restore are tried again. */
  start(): void;
  stop(): void;
}

/** A rollout of this node that ended calls for a decision; none of them announces its end. */
const TICK_MS = 1000;

export function createFollower(context: ServingContext, source: DesiredDeployments): Follower {
  const { clock, deployments, changing, runs, events, log } = context;
  const failures = new Map<string, Failure>();
  let timer: NodeJS.Timeout | undefined;
  let unsubscribe: (() => void) | undefined;

  function actual(): Map<string, Actual> {
    const here = new Map<string, Actual>();
    for (const { name, revision, updatedAt, elsewhere } of deployments.values()) {
      const activity = runs.has(name) ? 'rollout' : changing.has(name) ? 'change' : 'none';
      here.set(name, { revision, updatedAt, activity, isHere: elsewhere === undefined });
    }
    // A deployment that is being removed, or is not registered yet.
    for (const name of changing.keys()) {
      if (!here.has(name))
        here.set(name, { revision: 0, updatedAt: '', activity: 'change', isHere: true });
    }
    return here;
  }

  function tick(): void {
    if (context.closing.aborted || unsubscribe === undefined) return;
    clearTimeout(timer);
    const desired = new Map(source.current().map((each) => [each.row.name, each] as const));
    const places = placesOf(context, [...desired.values()]);
    const wanted = new Map<string, Wanted>();
    for (const [name, { row }] of desired) {
      const isHere = places?.get(name)?.isHere ?? true;
      wanted.set(name, { revision: row.revision, updatedAt: row.updatedAt, isHere });
    }
    for (const name of failures.keys()) if (!desired.has(name)) failures.delete(name);
    const now = clock.now();
    const { actions, nextAt } = reconcile(wanted, actual(), failures, now);
    for (const action of actions) {
      carryOut(action, desired.get(action.name), places?.get(action.name));
    }
    for (const [name, place] of places ?? []) {
      const deployment = deployments.get(name);
      if (deployment?.elsewhere !== undefined && !place.isHere) {
        deployment.elsewhere = { ...deployment.elsewhere, place };
      }
    }
    timer = setTimeout(tick, Math.max(0, Math.min(TICK_MS, nextAt - now))).unref();
  }

  function carryOut(
    { kind, name }: Action,
    desired: DesiredDeployment | undefined,
    place: Place | undefined,
  ): void {
    if (kind === 'interrupt') {
      // It follows a step of its own rollout, and ends when another change has replaced it.
      void runs
        .get(name)
        ?.follow()
        .catch(() => {});
      return;
    }
    const change = async (): Promise<void> => {
      if (desired === undefined) return abandon(context, name);
      await calleesOf(desired);
      await adopt(context, desired, place);
      // Within the change: another one would replace what the rollout takes as its stable version.
      await joinRollout(context, desired.row);
    };
    void exclusively(context, name, change)
      .then(
        () => succeeded(name, desired),
        (error: unknown) => failed(name, desired, error),
      )
      .then(tick);
  }

  async function calleesOf({ versions }: DesiredDeployment): Promise<void> {
    // The changes of one decision begin together: all of them are known a moment later.
    await Promise.resolve();
    const callees = versions.flatMap(({ metadata }) => metadata['calls']?.split(', ') ?? []);
    await Promise.all(callees.map(async (callee) => changing.get(callee)));
  }

  function succeeded(name: string, desired: DesiredDeployment | undefined): void {
    failures.delete(name);
    const deployment = deployments.get(name);
    if (deployment !== undefined) deployment.behind = undefined;
    const what =
      desired === undefined
        ? 'is removed here'
        : deployment?.elsewhere === undefined
          ? `revision ${desired.row.revision} is here`
          : `revision ${desired.row.revision} is on other members: ${deployment.elsewhere.place.reason}`;
    publish(name, what, 'followed');
  }

  function failed(name: string, desired: DesiredDeployment | undefined, error: unknown): void {
    if (desired === undefined || context.closing.aborted) return;
    const { revision } = desired.row;
    const failure = failedAgain(failures.get(name), desired.row, clock.now());
    failures.set(name, failure);
    const reason = error instanceof Error ? error.message : String(error);
    const deployment = deployments.get(name);
    if (deployment !== undefined) {
      deployment.behind = `revision ${revision} cannot be served on this node, attempt ${failure.attempts}: ${reason}`;
    }
    log('A deployment of the fleet cannot be served on this node; it is tried again.', {
      deployment: name,
      revision,
      attempts: failure.attempts,
      error,
    });
    publish(name, reason, 'failed');
  }

  function publish(deployment: string, reason: string, happened: string): void {
    events.publish({ kind: 'deployment', deployment, reason, details: { happened } });
  }

  return {
    start() {
      for (const deployment of deployments.values()) {
        if (deployment.stopped?.status === 'failed') {
          failures.set(deployment.name, failedAgain(undefined, deployment, clock.now()));
        }
      }
      for (const desired of source.current()) {
        const { row } = desired;
        if (!canJoin(context, row)) continue;
        void exclusively(context, row.name, () => joinRollout(context, row))
          .catch((error: unknown) => failed(row.name, desired, error))
          .then(tick);
      }
      unsubscribe = source.onChange(tick);
      tick();
    },
    stop() {
      clearTimeout(timer);
      unsubscribe?.();
      unsubscribe = undefined;
    },
  };
}
