/** Events from the stream, read on from a sequence; one blocking read wakes all listeners. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Connection } from '@skein/state/redis';
import type { JobEvent, JobStore } from '../../contract.ts';
import { isWanted, listenersOf } from '../listeners.ts';
import type { ScriptName } from './scripts.ts';

/** Entries that one read brings; an entry has the events of one call. */
const PAGE = 50;
const BLOCK_MS = 5000;
const RETRY_MS = 200;

type Entry = [id: string, fields: string[]];

/** Neighbouring events that differ by their job alone; see `scripts/shared/event.lua`. */
interface Run {
  readonly kind: JobEvent['kind'];
  readonly state: JobEvent['state'];
  readonly queue: string;
  readonly tenant: string;
  readonly cause?: NonNullable<JobEvent['cause']>;
  readonly group?: string;
  /** The progress in JSON. */
  readonly progress?: string;
  readonly jobs: readonly string[];
}

function* eventsOf([id, [, at, , json = '[]']]: Entry): Generator<JobEvent> {
  const runs = readJson(json, JSON_BOUNDS.record) as Run[];
  const count = runs.reduce((sum, { jobs }) => sum + jobs.length, 0);
  let sequence = sequenceOf(id) - count;
  for (const { jobs, progress, ...what } of runs) {
    for (const job of jobs) {
      sequence += 1;
      yield {
        sequence,
        at: Number(at),
        job,
        ...what,
        ...(progress === undefined
          ? {}
          : {
              progress: readJson(progress, JSON_BOUNDS.record) as NonNullable<JobEvent['progress']>,
            }),
      };
    }
  }
}

const sequenceOf = (id: string): number => Number(id.slice(0, id.indexOf('-')));

export function eventStream(connection: Connection<ScriptName>, key: string) {
  const arrived = listenersOf<void>();
  let closed = false;
  let tailing = false;

  /** Where the stream ends now. */
  async function last(): Promise<number> {
    const [entry] = (await connection.redis.xrevrange(key, '+', '-', 'COUNT', 1)) as Entry[];
    return entry ? sequenceOf(entry[0]) : 0;
  }

  async function tail(): Promise<void> {
    if (tailing) return;
    tailing = true;
    const blocking = connection.another();
    let seen: number | undefined;
    while (!closed) {
      try {
        seen ??= await last();
        const found = await blocking.xread(
          'COUNT',
          1,
          'BLOCK',
          BLOCK_MS,
          'STREAMS',
          key,
          `${seen}-0`,
        );
        if (found) seen = await last();
        // Notify after a lost connection too: an extra notification is harmless.
        arrived.notify('', undefined);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  return {
    async *read(
      { after, ...filter }: Parameters<JobStore['events']>[0],
      signal: AbortSignal,
    ): AsyncGenerator<JobEvent> {
      void tail();
      let next: number | undefined;
      while (!signal.aborted && !closed) {
        const more = arrived.once('', signal);
        try {
          // One of another store would keep the events back until their numbers have caught up with it.
          next ??= Math.min(after ?? Infinity, await last());
          const page = (await connection.redis.xrange(
            key,
            `(${next}-0`,
            '+',
            'COUNT',
            PAGE,
          )) as Entry[];
          for (const event of page.flatMap((entry) => [...eventsOf(entry)])) {
            if (event.sequence <= next) continue;
            next = event.sequence;
            if (isWanted(event, filter)) yield event;
          }
          if (page.length > 0) continue;
        } catch (error) {
          if (connection.redis.status === 'ready') throw error;
        }
        await more;
      }
    },
    close() {
      closed = true;
      arrived.notify('', undefined);
    },
  };
}
