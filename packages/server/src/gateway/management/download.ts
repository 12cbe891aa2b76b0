/** A raw answer as it comes from the disk: nothing is read ahead, and nothing is kept. */
import { pipeline } from 'node:stream/promises';
import type { Exchange } from '../http-exchange.ts';

export interface Download {
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * The size goes out first, so that a client can tell an answer that breaks off from one that is
 * whole: content that turns out to be corrupt ends the connection before its last byte.
 */
export async function sendDownload(
  { response, id }: Exchange,
  type: string,
  { sizeBytes, content }: Download,
): Promise<void> {
  const chunks = content[Symbol.asyncIterator]();
  // A fault before the first byte can still be told with its code.
  const first = await chunks.next();
  response.writeHead(200, {
    'content-type': type,
    'content-length': sizeBytes,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-disposition': 'attachment',
    'x-request-id': id,
  });
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    for (let next = first; next.done !== true; next = await chunks.next()) yield next.value;
  };
  await pipeline(rest, response).catch(() => response.destroy());
}
