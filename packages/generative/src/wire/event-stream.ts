/**
 * The `data` of server-sent events, from bytes: `eventsource-parser` finds the lines (LF, CR or
 * CRLF, also over two chunks), a streaming decoder the characters. An event is bounded. One that the
 * end of the stream cuts is dropped, following the HTML standard (§9.2.6): the reader decides whether
 * the stream was whole.
 */
import { createParser } from 'eventsource-parser';
import type { UpstreamAnswer } from './incoming.ts';
import { upstreamError } from './upstream-error.ts';

/** Characters of one event: an image in base64 fits. */
export const LARGEST_EVENT = 16 * 2 ** 20;

/** The events of an answer. @throws SkeinError PROVIDER_FAILED when it has another type. */
export function eventsIn(provider: string, answer: UpstreamAnswer) {
  if (answer.contentType === 'text/event-stream') return eventData(provider, answer.body);
  answer.discard();
  throw upstreamError('PROVIDER_FAILED', {
    provider,
    message: `it answered with the type ${answer.contentType.slice(0, 60) || 'unknown'}.`,
  });
}

/** @returns the data of the events that have arrived together: a step for each event would cost more than the event. */
export async function* eventData(
  provider: string,
  chunks: AsyncIterable<Uint8Array>,
  largest: number = LARGEST_EVENT,
): AsyncGenerator<readonly string[]> {
  let events: string[] = [];
  let isTooLarge = false;
  const parser = createParser({
    maxBufferSize: largest,
    onEvent: ({ data }) => void events.push(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') isTooLarge = true;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    const ready = events;
    events = [];
    if (ready.length > 0) yield ready;
    if (isTooLarge) {
      throw upstreamError('PROVIDER_FAILED', {
        provider,
        message: `an event of its stream is larger than ${largest} characters.`,
      });
    }
  }
}
