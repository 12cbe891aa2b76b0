/**
 * Events of the node: the current deployments, the training runs in progress, and every decision
 * with its reason.
 *
 * There is no queue per reader. A reader has a position: the last history entry and the last
 * snapshot of each deployment that it was sent. After each poll of the node it gets the difference.
 * A reader that is slow skips polls, and then gets the newest snapshots: it costs nothing and misses
 * only outdated snapshots. History is read from the state, so that no decision is skipped, even
 * across a restart.
 *
 * All readers share the polls, which run only while a reader waits for one.
 */
import type { ServerEvent } from '@skein/http';
import type { HistoryEntry } from '@skein/state';
import type { ManagementLimits, ManagementOptions, NodeHandlers } from './options.ts';

interface Seen {
  readonly id: string;
  readonly running: boolean;
  readonly text: string;
}

interface NodeSnapshot {
  /** Deployments by name, as JSON. */
  readonly deployments: ReadonlyMap<string, string>;
  readonly runs: readonly Seen[];
  /** The newest entries, oldest first. */
  readonly history: readonly HistoryEntry[];
}

/** History entries that are read at once for a reader that is behind. */
const HISTORY_STEP = 1000;
/** Entries of a poll that are read once for all readers. */
const NEWEST = 50;
/** The newest runs, which include the runs in progress. */
const RUNS_SEEN = 50;
/** Delay of a requested poll in milliseconds, so that a burst of events causes one. */
const SETTLE_MS = 100;

export function nodeEvents(
  {
    control,
    state,
    runs,
    events,
    logger,
  }: Pick<ManagementOptions, 'control' | 'state' | 'runs' | 'events' | 'logger'>,
  { eventTickMs }: Pick<ManagementLimits, 'eventTickMs'>,
): NodeHandlers['streamEvents'] {
  /** The readers that wait for a poll; undefined notifies one that its stream has ended. */
  const waiting = new Map<AbortSignal, (snapshot: NodeSnapshot | undefined) => void>();
  let readers = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;
  let polling = false;
  let unsubscribe: (() => void) | undefined;

  function pollIn(ms: number): void {
    const at = performance.now() + ms;
    if (at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void poll(), ms);
  }

  async function poll(): Promise<void> {
    dueAt = Infinity;
    // A slow state must not accumulate polls.
    if (polling || waiting.size === 0) return;
    polling = true;
    try {
      const snapshot = await readNode();
      for (const resolve of waiting.values()) resolve(snapshot);
      waiting.clear();
    } catch (error) {
      logger.warn({ err: error }, 'The event streams could not read the state of the node.');
    } finally {
      polling = false;
      if (waiting.size > 0) pollIn(eventTickMs);
    }
  }

  async function readNode(): Promise<NodeSnapshot> {
    const deployments = new Map(
      control.views().map((view) => [view.name, JSON.stringify(view)] as const),
    );
    const newest = await state.history({ limit: NEWEST });
    const { runs: known } = await runs.list({ limit: RUNS_SEEN });
    const seen = known.map((run) => ({
      id: run.id,
      running: run.status === 'running',
      text: JSON.stringify(run),
    }));
    return { deployments, runs: seen, history: newest.reverse() };
  }

  /** @returns undefined when the stream has ended. */
  function nextPoll(ended: AbortSignal, withinMs: number): Promise<NodeSnapshot | undefined> {
    const { promise, resolve } = Promise.withResolvers<NodeSnapshot | undefined>();
    if (ended.aborted) resolve(undefined);
    else {
      waiting.set(ended, resolve);
      pollIn(withinMs);
    }
    return promise;
  }

  async function* read(position: number, ended: AbortSignal): AsyncGenerator<ServerEvent> {
    let lastId = position;
    const deployments = new Map<string, string>();
    /** Runs by id, as last sent; a run that had ended before the stream was opened is not sent. */
    const sentRuns = new Map<string, string>();
    let opening = true;
    ended.addEventListener(
      'abort',
      () => {
        waiting.get(ended)?.(undefined);
        waiting.delete(ended);
      },
      { once: true },
    );
    readers++;
    unsubscribe ??= events.subscribe(() => pollIn(SETTLE_MS));
    try {
      for (;;) {
        const snapshot = await nextPoll(ended, opening ? 0 : eventTickMs);
        if (snapshot === undefined) return;
        for (const [name, data] of snapshot.deployments) {
          if (deployments.get(name) === data) continue;
          deployments.set(name, data);
          yield { type: 'deployment', data };
        }
        for (const name of deployments.keys()) {
          if (snapshot.deployments.has(name)) continue;
          deployments.delete(name);
          yield { type: 'undeployed', data: JSON.stringify({ name }) };
        }
        for (const { id, running, text } of snapshot.runs) {
          const before = sentRuns.get(id);
          if (before === text) continue;
          sentRuns.set(id, text);
          if (before !== undefined || running || !opening) yield { type: 'run', data: text };
        }
        opening = false;
        for await (const entry of historyAfter(lastId, snapshot.history)) {
          lastId = entry.id;
          yield { id: entry.id, type: 'history', data: JSON.stringify(entry) };
        }
      }
    } finally {
      if (--readers === 0) {
        clearTimeout(timer);
        dueAt = Infinity;
        unsubscribe?.();
        unsubscribe = undefined;
      }
    }
  }

  /**
   * The entries that a reader has not seen, oldest first.
   * @param newest enough if it reaches back far enough.
   */
  async function* historyAfter(
    id: number,
    newest: readonly HistoryEntry[],
  ): AsyncGenerator<HistoryEntry> {
    const oldest = newest[0]?.id ?? 0;
    if (oldest <= id + 1 || newest.length < NEWEST) {
      yield* newest.filter((entry) => entry.id > id);
      return;
    }
    let step: readonly HistoryEntry[];
    let last = id;
    do {
      step = await state.historyAfter(last, HISTORY_STEP);
      yield* step;
      last = step.at(-1)?.id ?? last;
    } while (step.length === HISTORY_STEP);
  }

  return async ({ lastEventId = '' }) => {
    const newest = (await state.history({ limit: 1 }))[0]?.id ?? 0;
    // An id from another data folder would block the stream until history caught up with it.
    const asked = /^\d{1,15}$/.test(lastEventId);
    const position = asked ? Math.min(Number(lastEventId), newest) : newest;
    return (ended) => read(position, ended);
  };
}
