/**
 * The state that all nodes of a fleet share, as this one follows it. A node without a fleet has none.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type NodeView, SkeinError } from '@skein/api';
import { type Exposition, labelled } from '@skein/http';
import type { DesiredDeployments } from '@skein/serving';
import {
  type DataFolder,
  followState,
  type FollowedState,
  type KeyRecord,
  openFleetState,
  type Standing,
} from '@skein/state';
import type { KeyDoubt } from '../access/access.ts';
import type { Opening } from './component.ts';

export interface SharedState extends Pick<
  FollowedState,
  'state' | 'standing' | 'cursor' | 'subscribe' | 'adopt' | 'isRestart'
> {
  readonly desired: DesiredDeployments;
  readonly doubt: KeyDoubt;
  /** Calls the listener with all keys, at each change of them. */
  onKeys(listener: (stored: Iterable<KeyRecord>) => void): () => void;
  /** Calls the listener when the store can be changed again. */
  onCurrent(listener: () => void): () => void;
  /** Identifies this process among the holders of shares. */
  readonly holder: string;
  /** How many nodes share the limits, as last read. */
  readonly nodes: () => number;
  view(): NonNullable<NodeView['store']>;
  expose(into: Exposition): void;
}

/**
 * How long keys are trusted without the store that revokes them, in milliseconds. Longer than an
 * outage, and short enough that a node that was cut off and removed admits no caller for ever.
 */
const KEYS_TRUSTED_MS = 24 * 3_600_000;
/** A node that crashed announces nothing: its lease ends. */
const COUNT_MS = 10_000;
const STANDINGS = ['current', 'away', 'frozen'] as const satisfies readonly Standing['state'][];

/** @throws SkeinError STORE_UNREACHABLE when the store is away and this node holds nothing from before. */
export async function openSharedState(
  { options, logger, lifecycle }: Opening,
  folder: DataFolder,
): Promise<SharedState | undefined> {
  const { redis, namespace } = options;
  if (redis === undefined) return undefined;
  const followed = await followState({
    open: () => openFleetState(redis, { namespace }),
    file: join(folder.root, 'known.json'),
    log: (level, message, details) => logger[level](details, message),
  });
  const { state, known, standing, subscribe } = followed;
  let nodes = 1;
  const count = (): void => {
    // While the store is away the number stays as it was.
    state.members.list().then(
      (members) => (nodes = Math.max(1, members.length)),
      () => undefined,
    );
  };
  const timer = setInterval(count, COUNT_MS).unref();
  subscribe(({ members }) => {
    if (members) count();
  });
  count();
  lifecycle.open('shared state', async () => {
    clearInterval(timer);
    await state.close();
  });

  return {
    isRestart: followed.isRestart,
    state,
    standing,
    cursor: () => followed.cursor(),
    subscribe,
    adopt: () => followed.adopt(),
    desired: {
      current: () => [...known().deployments.values()],
      onChange: (listener) =>
        subscribe(({ deployments }) => {
          if (deployments) listener();
        }),
      mayChange: () => followed.mayChange(),
    },
    doubt: doubtOf(followed),
    onKeys: (listener) =>
      subscribe(({ keys }) => {
        if (keys) listener(known().keys.values());
      }),
    onCurrent: (listener) =>
      subscribe(({ current }) => {
        if (current) listener();
      }),
    holder: randomUUID(),
    nodes: () => nodes,
    view: () => ({ ...viewOf(standing()), asOf: new Date(known().asOf).toISOString() }),
    expose(into) {
      const now = standing().state;
      into.family(
        'skein_store_standing',
        'gauge',
        '1 for how this node stands to the store of its fleet: current, away, or frozen by a store that contradicts it.',
      );
      for (const state of STANDINGS) into.sample(labelled({ state }), state === now ? 1 : 0);
      into.family(
        'skein_store_confirmed_timestamp_seconds',
        'gauge',
        'When the store last confirmed all that this node holds, in seconds since 1970.',
      );
      into.sample('', known().asOf / 1000);
    },
  };
}

/** While the store is current, the keys of this node are the store's. */
function doubtOf({ known, standing }: FollowedState): KeyDoubt {
  return {
    missing() {
      const { state } = standing();
      if (state === 'current') return undefined;
      return unreachable('The API key is not known here, and the store, which may know it', state);
    },
    outdated() {
      const { state } = standing();
      if (state === 'current' || Date.now() - known().asOf < KEYS_TRUSTED_MS) return undefined;
      return unreachable('The keys of this node are a day old, and the store', state);
    },
  };
}

function unreachable(subject: string, state: 'away' | 'frozen'): SkeinError {
  const what = state === 'away' ? 'does not answer' : 'contradicts the state of this node';
  return new SkeinError('STORE_UNREACHABLE', `${subject}, ${what}.`, { retryAfterMs: 1000 });
}

function viewOf(standing: Standing): Omit<NonNullable<NodeView['store']>, 'asOf'> {
  const { state } = standing;
  if (state === 'current') return { state };
  return { state, since: new Date(standing.since).toISOString(), reason: standing.reason };
}
