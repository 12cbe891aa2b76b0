/** Events from the stream, read on from a sequence; one blocking read wakes all listeners. */
import type { JobEvent } from '../../contract.ts';
import { listenersOf } from '../listeners.ts';
import type { Connection } from './connection.ts';

const PAGE = 500;
const BLOCK_MS = 5000;
const RETRY_MS = 200;

type Entry = [id: string, fields: string[]];

export interface EventStream {
  read(
    filter: { job?: string; group?: string; queue?: string; after?: number },
    signal: AbortSignal,
  ): AsyncGenerator<JobEvent>;
  close(): void;
}

function eventOf([id, flat]: Entry): JobEvent {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) {
    fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  }
  const { at, group, cause, progress, ...rest } = fields;
  return {
    ...(rest as unknown as Pick<JobEvent, 'job' | 'queue' | 'tenant' | 'kind' | 'state'>),
    sequence: sequenceOf(id),
    at: Number(at),
    ...(group === undefined ? {} : { group }),
    ...(cause === undefined ? {} : { cause: cause as NonNullable<JobEvent['cause']> }),
    ...(progress === undefined
      ? {}
      : { progress: JSON.parse(progress) as NonNullable<JobEvent['progress']> }),
  };
}

const sequenceOf = (id: string): number => Number(id.slice(0, id.indexOf('-')));

export function eventStream(connection: Connection, key: string): EventStream {
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
        // After a pause of the connection too: better once too often.
        arrived.tell('', undefined);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  return {
    async *read({ after, ...filter }, signal) {
      void tail();
      let next = after;
      while (!signal.aborted && !closed) {
        const more = arrived.once('', signal);
        try {
          next ??= await last();
          const page = (await connection.redis.xrange(
            key,
            `(${next}-0`,
            '+',
            'COUNT',
            PAGE,
          )) as Entry[];
          for (const entry of page) {
            const event = eventOf(entry);
            next = event.sequence;
            if (filter.job !== undefined && event.job !== filter.job) continue;
            if (filter.group !== undefined && event.group !== filter.group) continue;
            if (filter.queue !== undefined && event.queue !== filter.queue) continue;
            yield event;
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
      arrived.tell('', undefined);
    },
  };
}
