/** Streams a raw answer from the disk: nothing is read ahead and nothing is kept. */
import { pipeline } from 'node:stream/promises';
import { boundSilence, type NodeExchange, NOT_STORED, headersOf } from '../exchange/exchange.ts';

export interface Download {
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
  /** Media type. Default: the endpoint's. */
  readonly type?: string;
  /** Name and value alternating. Default: it is saved as a file, and no cache keeps it. */
  readonly headers?: readonly string[];
}

const SAVED = [...NOT_STORED, 'Content-Disposition', 'attachment'];

/**
 * The size is sent first, so that a client can detect an incomplete answer: if the content turns
 * out to be corrupt, the connection ends before its last byte. A client that reads nothing for
 * `timeoutMs` loses its connection, and so does one whose key ends.
 *
 * @param watch calls back when the key of the caller is no longer valid; returns an unsubscribe function.
 */
export async function sendDownload(
  exchange: NodeExchange,
  declaredType: string,
  { sizeBytes, content, type = declaredType, headers = SAVED }: Download,
  timeoutMs: number,
  watch: (onEnd: () => void) => () => void,
): Promise<void> {
  const { request, response } = exchange;
  const chunks = content[Symbol.asyncIterator]();
  // A fault before the first byte can still be sent as a coded error.
  const first = await chunks.next();
  response.writeHead(200, headersOf(exchange, type, sizeBytes, headers));
  if (request.method === 'HEAD') {
    await chunks.return?.();
    response.end();
    return;
  }
  if (response.socket !== null) boundSilence(response, response.socket, timeoutMs);
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    for (let next = first; next.done !== true; next = await chunks.next()) yield next.value;
  };
  const unwatch = watch(() => response.destroy());
  await pipeline(rest, response).catch(() => response.destroy());
  unwatch();
}
