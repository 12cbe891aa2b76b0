/**
 * An answer that is sent as it is generated. A client that stops reading holds the provider back, and
 * loses the connection after a while.
 *
 * An answer that fails on the way ends with the error of its protocol, and then its body ends as HTTP
 * ends a whole one. A connection that is cut there takes the error away from the client: libraries
 * report the cut. A whole answer has a last piece: `[DONE]` or a finish reason.
 */
import { once } from 'node:events';
import type { SkeinError } from '@skein/api';
import type { GenerateEvent, Generation, Receipt } from '@skein/generative';
import { type GatewayLogger, type NodeExchange, streamHeaders, toSkeinError } from '@skein/http';
import type { ModelCall } from './call.ts';

/** How a protocol writes an answer. */
export interface StreamWriter {
  /** The text of an event; '' for none. */
  readonly write: (event: GenerateEvent) => string;
  /** After the last event. */
  end(receipt: Receipt | undefined): string | Promise<string>;
  /** Instead of the end. */
  fail(error: SkeinError): string;
}

export interface StreamOptions {
  /** How long a client may read nothing of what waits for it, in milliseconds. */
  readonly unreadMs: number;
  readonly logger: GatewayLogger;
  /** Default: server-sent events. */
  readonly contentType?: string;
}

/** Sends the answer to its end, or until it fails. */
export async function streamAnswer(
  { exchange, signal }: Pick<ModelCall, 'exchange' | 'signal'>,
  generation: Generation,
  writer: StreamWriter,
  { unreadMs, logger, contentType = 'text/event-stream; charset=utf-8' }: StreamOptions,
): Promise<void> {
  const { response } = exchange;
  response.on('error', () => {});
  response.writeHead(200, [
    ...streamHeaders(exchange, contentType),
    ...Object.entries(generation.headers()).flat(),
  ]);
  try {
    for await (const event of generation.events) {
      const text = writer.write(event);
      // A write that need not wait must not cost a turn of the event loop.
      if (text !== '' && !response.write(text)) await drained(exchange, signal, unreadMs);
    }
    response.end(await writer.end(generation.receipt()));
  } catch (thrown) {
    const reason: unknown = signal.aborted ? signal.reason : thrown;
    const error = toSkeinError(reason, exchange.id, logger);
    if (!response.destroyed && !response.writableEnded) response.end(writer.fail(error));
  }
}

async function drained(
  { response }: NodeExchange,
  signal: AbortSignal,
  unreadMs: number,
): Promise<void> {
  const timer = setTimeout(() => response.destroy(), unreadMs);
  try {
    await once(response, 'drain', { signal });
  } finally {
    clearTimeout(timer);
  }
}
