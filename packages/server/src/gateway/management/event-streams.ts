/**
 * Server-sent events: the deployments as they are, the training runs that are under way, and every
 * decision with its reason.
 *
 * There is no queue per reader. A reader has a position, which is the last history entry it got and
 * the last snapshot of each deployment it was sent, and each look at the node writes what differs
 * from there. A reader whose socket is full is passed over until it has drained, and then gets the
 * newest snapshots: a slow reader costs nothing and loses only what is out of date. History is read
 * back from the state, so that no decision is skipped, even across a restart.
 *
 * Looks are shared by all readers and happen only while there is one.
 */
import type { ServerResponse } from 'node:http';
import type { HistoryEntry } from '@skein/state';
import type { Caller } from '../../access/contract.ts';
import type { ManagementLimits, ManagementOptions } from './contract.ts';
import type { OpenStreams } from './open-streams.ts';

interface Reader {
  readonly response: ServerResponse;
  /** Id of the last history entry written. */
  lastId: number;
  /** Snapshots by deployment, as last written. */
  readonly snapshots: Map<string, string>;
  /** Runs by id, as last written; those that had ended when the stream was opened are not. */
  readonly runs: Map<string, string>;
  lastWriteAt: number;
  /** Until the first look was written. */
  opening: boolean;
}

interface Seen {
  readonly id: string;
  readonly running: boolean;
  readonly text: string;
}

interface Look {
  readonly snapshots: ReadonlyMap<string, string>;
  readonly runs: readonly Seen[];
  /** Oldest first. */
  readonly history: readonly HistoryEntry[];
}

export interface EventStreams {
  /**
   * Turns the response into a stream, until either side ends it.
   * @param lastEventId as the client sent it: decisions after it are replayed.
   * @throws SkeinError as `OpenStreams.open` does.
   */
  open(response: ServerResponse, caller: Caller, lastEventId: string | undefined): Promise<void>;
}

/** History entries of one look; a reader that is further behind catches up over several. */
const HISTORY_STEP = 1000;
/** Entries of a look that are read for all readers together. */
const NEWEST = 50;
/** The newest runs, among which are those that are under way. */
const RUNS_SEEN = 50;
/** Milliseconds by which looks that were asked for are put off, so that a burst costs one. */
const SETTLE_MS = 100;

export function createEventStreams(
  {
    control,
    state,
    runs,
    events,
    logger,
  }: Pick<ManagementOptions, 'control' | 'state' | 'runs' | 'events' | 'logger'>,
  limits: Pick<ManagementLimits, 'eventTickMs' | 'heartbeatMs'>,
  streams: OpenStreams,
): EventStreams {
  const readers = new Set<Reader>();
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;
  let looking = false;
  let unsubscribe: (() => void) | undefined;

  function lookIn(ms: number): void {
    const at = performance.now() + ms;
    if (at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void tick(), ms);
  }

  async function tick(): Promise<void> {
    dueAt = Infinity;
    // A slow state must not pile up looks; the one under way ends with the next timer.
    if (looking || readers.size === 0) return;
    looking = true;
    try {
      const look = await takeLook();
      for (const reader of readers) await write(reader, look);
    } catch (error) {
      logger.warn({ err: error }, 'The event streams could not look at the node.');
    } finally {
      looking = false;
      if (readers.size > 0) lookIn(limits.eventTickMs);
    }
  }

  async function takeLook(): Promise<Look> {
    const snapshots = new Map(
      control.views().map((view) => [view.name, JSON.stringify(view)] as const),
    );
    const newest = await state.history({ limit: NEWEST });
    const known = await runs.list({ limit: RUNS_SEEN });
    const seen = known.map((run) => ({
      id: run.id,
      running: run.status === 'running',
      text: JSON.stringify(run),
    }));
    return { snapshots, runs: seen, history: newest.reverse() };
  }

  async function write(reader: Reader, look: Look): Promise<void> {
    const { response } = reader;
    if (response.writableNeedDrain || response.writableEnded) return;
    let text = '';
    for (const [name, snapshot] of look.snapshots) {
      if (reader.snapshots.get(name) === snapshot) continue;
      reader.snapshots.set(name, snapshot);
      text += `event: deployment\ndata: ${snapshot}\n\n`;
    }
    for (const name of reader.snapshots.keys()) {
      if (look.snapshots.has(name)) continue;
      reader.snapshots.delete(name);
      text += `event: undeployed\ndata: ${JSON.stringify({ name })}\n\n`;
    }
    for (const { id, running, text: run } of look.runs) {
      const before = reader.runs.get(id);
      if (before === run) continue;
      reader.runs.set(id, run);
      // What had ended before anybody looked is no news.
      if (before !== undefined || running || !reader.opening) {
        text += `event: run\ndata: ${run}\n\n`;
      }
    }
    reader.opening = false;
    for (const entry of await historyAfter(reader.lastId, look.history)) {
      reader.lastId = entry.id;
      text += `id: ${entry.id}\nevent: history\ndata: ${JSON.stringify(entry)}\n\n`;
    }
    const now = performance.now();
    if (text === '' && now - reader.lastWriteAt >= limits.heartbeatMs) text = ': still here\n\n';
    if (text === '') return;
    reader.lastWriteAt = now;
    response.write(text);
  }

  /**
   * A step of what a reader has not seen yet, oldest first; the next look brings the next one.
   * @param newest oldest first; enough where it reaches back far enough.
   */
  async function historyAfter(
    id: number,
    newest: readonly HistoryEntry[],
  ): Promise<readonly HistoryEntry[]> {
    const oldest = newest[0]?.id ?? 0;
    if (oldest <= id + 1 || newest.length < NEWEST) return newest.filter((entry) => entry.id > id);
    const step = await state.historyAfter(id, HISTORY_STEP);
    if (step.length === HISTORY_STEP) lookIn(0);
    return step;
  }

  function leave(reader: Reader): void {
    readers.delete(reader);
    if (readers.size > 0) return;
    clearTimeout(timer);
    dueAt = Infinity;
    unsubscribe?.();
    unsubscribe = undefined;
  }

  return {
    async open(response, caller, lastEventId) {
      const ended = streams.open(response, caller);
      const newest = (await state.history({ limit: 1 }))[0]?.id ?? 0;
      if (ended.aborted) return;
      // An id from another data folder would silence the stream until history caught up with it.
      const asked = lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId);
      const lastId = asked ? Math.min(Number(lastEventId), newest) : newest;
      const reader: Reader = {
        response,
        lastId,
        snapshots: new Map(),
        runs: new Map(),
        lastWriteAt: 0,
        opening: true,
      };
      readers.add(reader);
      ended.addEventListener('abort', () => leave(reader), { once: true });
      unsubscribe ??= events.subscribe(() => lookIn(SETTLE_MS));
      lookIn(0);
    },
  };
}
