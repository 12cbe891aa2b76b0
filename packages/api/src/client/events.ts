/** A stream of events as an async iterator that reconnects and resumes. */
import { ERRORS, SkeinError, type ErrorBody } from '../errors.ts';
import { createEventStreamReader, type ServerSentEvent } from './event-stream.ts';
import { pause } from './retry.ts';
import type { Transport } from './transport.ts';

export interface EventsOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
  /** Id of the last event that was received: later events are sent first. */
  readonly lastEventId?: string | number | undefined;
  /** Connect again when the stream breaks. Default: true. */
  readonly reconnect?: boolean | undefined;
}

/**
 * Ends when the signal aborts. A node that ends a stream permanently, because its key was revoked,
 * sends a last event with the reason. The first connection must succeed; later ones are retried until
 * one succeeds, or the node refuses for a reason that a retry cannot fix.
 * @throws SkeinError with the refusal of the node.
 */
export async function* readEvents<Event>(
  transport: Transport,
  path: string,
  options: EventsOptions,
  read: (event: ServerSentEvent) => Event,
): AsyncGenerator<Event, void, undefined> {
  // The connection closes also when the consumer stops its loop.
  const left = new AbortController();
  const signal =
    options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  let lastEventId = options.lastEventId === undefined ? undefined : String(options.lastEventId);
  let waitMs = 1000;
  let failures = 0;
  let connected = false;
  try {
    while (!signal.aborted) {
      try {
        const response = await transport.open({
          method: 'GET',
          path,
          headers: {
            accept: 'text/event-stream',
            ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
          },
          signal,
        });
        connected = true;
        failures = 0;
        for await (const event of readEventStream(response, (ms) => (waitMs = ms))) {
          lastEventId = event.id ?? lastEventId;
          yield read(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        const lasting = error instanceof SkeinError && error.row.kind === 'user';
        if (lasting || !connected || options.reconnect === false) {
          if (error instanceof SkeinError) throw error;
          throw new SkeinError('NODE_UNREACHABLE', 'The stream of events broke.', { cause: error });
        }
        failures += 1;
      }
      if (options.reconnect === false) return;
      await pause(Math.min(waitMs * 2 ** failures, 10_000), signal);
    }
  } finally {
    left.abort();
  }
}

/** The last event of a stream that the node ended has the body of an error. */
function errorOf({ data }: ServerSentEvent): SkeinError {
  const { code = 'INTERNAL', error = data } = JSON.parse(data) as Partial<ErrorBody>;
  return new SkeinError(Object.hasOwn(ERRORS, code) ? code : 'INTERNAL', error);
}

/**
 * The events of a response, until it ends. @throws SkeinError when the node ends the stream
 * permanently.
 */
export async function* readEventStream(
  response: Response,
  onRetryMs?: (ms: number) => void,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = createEventStreamReader();
  for await (const chunk of decode(response)) {
    for (const event of reader.push(chunk)) {
      if (event.type === 'error') throw errorOf(event);
      yield event;
    }
    if (reader.retryMs !== undefined) onRetryMs?.(reader.retryMs);
  }
}

async function* decode(response: Response): AsyncGenerator<string, void, undefined> {
  if (response.body === null) return;
  // Safari has no async iteration over a stream, hence the reader.
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield decoder.decode(value, { stream: true });
  }
}
