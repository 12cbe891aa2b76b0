/**
 * Server-sent events: the current deployments, the training runs in progress, and every decision
 * with its reason.
 *
 * There is no queue per reader. A reader has a position: the last history entry and the last
 * snapshot of each deployment that it was sent. Each poll of the node writes the difference. A
 * reader whose socket is full is skipped until it has drained, and then gets the newest snapshots:
 * a slow reader costs nothing and misses only outdated snapshots. History is read from the state,
 * so that no decision is skipped, even across a restart.
 *
 * All readers share the polls, which run only while there is a reader.
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
  /** Runs by id, as last written; runs that had ended before the stream was opened are absent. */
  readonly runs: Map<string, string>;
  lastWriteAt: number;
  /** Until the first poll was written. */
  opening: boolean;
}

interface Seen {
  readonly id: string;
  readonly running: boolean;
  readonly text: string;
}

interface NodeSnapshot {
  readonly snapshots: ReadonlyMap<string, string>;
  readonly runs: readonly Seen[];
  /** Oldest first. */
  readonly history: readonly HistoryEntry[];
}

export interface EventStreams {
  /**
   * Turns the response into a stream, until either side ends it.
   * @param lastEventId sent by the client: decisions after it are replayed.
   * @throws SkeinError as `OpenStreams.open` does.
   */
  open(response: ServerResponse, caller: Caller, lastEventId: string | undefined): Promise<void>;
}

/** History entries of one poll; a reader that is further behind catches up over several. */
const HISTORY_STEP = 1000;
/** Entries of a poll that are read once for all readers. */
const NEWEST = 50;
/** The newest runs, which include the runs in progress. */
const RUNS_SEEN = 50;
/** Delay of a requested poll in milliseconds, so that a burst of events causes one. */
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
  let polling = false;
  let unsubscribe: (() => void) | undefined;

  function pollIn(ms: number): void {
    const at = performance.now() + ms;
    if (at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void tick(), ms);
  }

  async function tick(): Promise<void> {
    dueAt = Infinity;
    // A slow state must not accumulate polls; the current one schedules the next.
    if (polling || readers.size === 0) return;
    polling = true;
    try {
      const current = await readNode();
      for (const reader of readers) await write(reader, current);
    } catch (error) {
      logger.warn({ err: error }, 'The event streams could not read the state of the node.');
    } finally {
      polling = false;
      if (readers.size > 0) pollIn(limits.eventTickMs);
    }
  }

  async function readNode(): Promise<NodeSnapshot> {
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

  async function write(reader: Reader, current: NodeSnapshot): Promise<void> {
    const { response } = reader;
    if (response.writableNeedDrain || response.writableEnded) return;
    let text = '';
    for (const [name, snapshot] of current.snapshots) {
      if (reader.snapshots.get(name) === snapshot) continue;
      reader.snapshots.set(name, snapshot);
      text += `event: deployment\ndata: ${snapshot}\n\n`;
    }
    for (const name of reader.snapshots.keys()) {
      if (current.snapshots.has(name)) continue;
      reader.snapshots.delete(name);
      text += `event: undeployed\ndata: ${JSON.stringify({ name })}\n\n`;
    }
    for (const { id, running, text: run } of current.runs) {
      const before = reader.runs.get(id);
      if (before === run) continue;
      reader.runs.set(id, run);
      // A run that had ended before the stream was opened is not sent.
      if (before !== undefined || running || !reader.opening) {
        text += `event: run\ndata: ${run}\n\n`;
      }
    }
    reader.opening = false;
    for (const entry of await historyAfter(reader.lastId, current.history)) {
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
   * One step of the entries that a reader has not seen, oldest first; the next poll brings the next
   * step.
   * @param newest oldest first; enough if it reaches back far enough.
   */
  async function historyAfter(
    id: number,
    newest: readonly HistoryEntry[],
  ): Promise<readonly HistoryEntry[]> {
    const oldest = newest[0]?.id ?? 0;
    if (oldest <= id + 1 || newest.length < NEWEST) return newest.filter((entry) => entry.id > id);
    const step = await state.historyAfter(id, HISTORY_STEP);
    if (step.length === HISTORY_STEP) pollIn(0);
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
      // An id from another data folder would block the stream until history caught up with it.
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
      unsubscribe ??= events.subscribe(() => pollIn(SETTLE_MS));
      pollIn(0);
    },
  };
}
