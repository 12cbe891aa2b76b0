/**
 * An answer that is sent as it is generated. A reader that stops reading holds the provider back,
 * and loses the connection after a while; an answer that breaks never ends like a whole one.
 */
import { once } from 'node:events';
import type { GenerateEvent } from '@skein/generative';
import { type NodeExchange, streamHeaders } from '@skein/http';

export interface AnswerStream {
  /** Resolves when the client can take more; nothing to wait for: undefined. */
  write(text: string): Promise<unknown> | undefined;
  end(text?: string): void;
}

export interface StreamOptions {
  readonly signal: AbortSignal;
  /** How long a client may read nothing of what waits for it, in milliseconds. */
  readonly unreadMs: number;
  /** Default: server-sent events. */
  readonly contentType?: string;
}

/** @param headers of the answer, besides those of every stream. */
export function openStream(
  exchange: NodeExchange,
  headers: Readonly<Record<string, string>>,
  { signal, unreadMs, contentType = 'text/event-stream; charset=utf-8' }: StreamOptions,
): AnswerStream {
  const { response } = exchange;
  response.on('error', () => {});
  response.writeHead(200, [
    ...streamHeaders(exchange, contentType),
    ...Object.entries(headers).flat(),
  ]);

  async function drained(): Promise<void> {
    const timer = setTimeout(() => response.destroy(), unreadMs);
    try {
      await once(response, 'drain', { signal });
    } finally {
      clearTimeout(timer);
    }
  }
  return {
    write: (text) => (response.write(text) ? undefined : drained()),
    end: (text) => void response.end(text),
  };
}

/** @param write the text of an event; '' for none. */
export async function sendEvents(
  stream: AnswerStream,
  events: AsyncIterable<GenerateEvent>,
  write: (event: GenerateEvent) => string,
): Promise<void> {
  for await (const event of events) {
    const text = write(event);
    // One that need not wait must not cost a turn of the event loop.
    const waiting = text === '' ? undefined : stream.write(text);
    if (waiting !== undefined) await waiting;
  }
}

/**
 * Ends a stream that has begun with its error, and then without the end that HTTP gives a whole
 * answer: a client that does not know the error event sees a broken connection.
 */
export function breakStream({ response }: NodeExchange, text: string): void {
  if (response.destroyed || response.writableEnded) return;
  response.write(text, () => response.destroy());
}
